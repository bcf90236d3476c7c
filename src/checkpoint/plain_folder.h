// A folder of weights that nothing quantized, as Hugging Face's programs read it.
#pragma once

#include <filesystem>
#include <memory>

#include "checkpoint/model_writer.h"

namespace nibble {

// Shards, config.json and the model's side files. Throws what OutputFolder and create_checkpoint
// throw.
std::unique_ptr<ModelWriter> create_plain_folder(const std::filesystem::path& target,
                                                 const OutputModel& model,
                                                 const OutputOptions& options);

}  // namespace nibble
