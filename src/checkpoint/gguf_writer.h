// Writes one GGUF file: NAME.partial until it is complete.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "checkpoint/model_writer.h"

namespace nibble {

// The model comes from `output.gguf`; file_type is what most of its weights are, in the numbers of
// general.file_type. Throws kInvalidArgument when `target` is a folder or exists
// and is not to be replaced; kResource as AtomicFile does.
std::unique_ptr<ModelWriter> create_gguf(const std::filesystem::path& target,
                                         const OutputModel& output, std::uint32_t file_type,
                                         const OutputOptions& options);

// A file of any kind, whose pairs say all there is. An existing one is replaced.
std::unique_ptr<ModelWriter> create_gguf_file(const std::filesystem::path& target, GgufModel model,
                                              std::uint64_t passport_bytes);

// What create_gguf would say of the target; writes nothing.
void check_gguf_target(const std::filesystem::path& target, const OutputModel& output,
                       const OutputOptions& options);

// SHA-256 over the bytes of all tensors in the order of their names: what the passport of a single
// file has in "tensors_sha256".
std::string tensors_sha256(const CheckpointReader& reader);

}  // namespace nibble
