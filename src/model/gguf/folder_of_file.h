// A GGUF file as the Hugging Face folder that it could have been made from.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "checkpoint/model_writer.h"
#include "model/source.h"

namespace nibble {

struct FolderOfFile {
  Json config;  // config.json, without a quantization_config
  // tokenizer.json, tokenizer_config.json, generation_config.json, as far as the file says them.
  std::vector<SideFile> files;
};

// `source` is a GGUF file. A tokenizer.json beside it that has the same tokens is taken as it is,
// and so is one inside of it. `notes` gets what readers of the folder will do otherwise. Throws
// kUnsupported for what config.json cannot say (the model would be another one) and for a
// tokenizer that cannot be written: what was written is read back by this program's own rules.
FolderOfFile folder_of_gguf(const ModelSource& source, std::vector<std::string>& notes);

// Does a folder do without this tensor of a GGUF file? config.json says what it holds. Throws
// kUnsupported for one that no folder has a name for.
bool left_out_of_folder(const TensorInfo& info);
// A tensor as the folder has it: gains of norms less 1 where that is the architecture's way.
TensorInfo folder_info(const ModelSource& source, const TensorInfo& info);
// Its bytes; `bytes` are those of ModelSource::bytes, or of a changed tensor of the same type. In
// `room` where they differ.
std::span<const std::byte> folder_bytes(const ModelSource& source, const TensorInfo& info,
                                        std::span<const std::byte> bytes,
                                        std::vector<std::byte>& room);

}  // namespace nibble
