// A kind of file that holds named tensors. One file and one line in list.def for each.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "base/files.h"
#include "nibble/checkpoint.h"

namespace nibble {

struct Container {
  std::string_view name;
  bool (*recognises)(std::span<const std::byte> file) = nullptr;  // by content
  std::unique_ptr<CheckpointReader> (*open)(MappedFile file) = nullptr;
};

namespace containers {
std::span<const Container* const> all();
extern const Container safetensors;
extern const Container gguf;
}  // namespace containers

// A folder in Hugging Face's layout: one file, or an index and its shards.
std::unique_ptr<CheckpointReader> open_checkpoint_folder(const fs::path& folder);
// A single file of any registered container.
std::unique_ptr<CheckpointReader> open_checkpoint_file(const fs::path& path);

}  // namespace nibble
