// Opens a file or folder as a checkpoint; finds tensors by name.
#include "nibble/checkpoint.h"

#include <algorithm>

#include "base/text.h"
#include "checkpoint/container.h"
#include "checkpoint/foreign.h"
#include "nibble/error.h"

namespace nibble {
const TensorInfo* CheckpointReader::find(std::string_view name) const {
  const auto all = tensors();
  const auto found = std::lower_bound(
      all.begin(), all.end(), name,
      [](const TensorInfo& info, std::string_view wanted) { return info.name < wanted; });
  return found != all.end() && found->name == name ? &*found : nullptr;
}

const TensorInfo& CheckpointReader::at(std::string_view name) const {
  if (const TensorInfo* info = find(name)) return *info;
  std::vector<std::string> known;
  for (const TensorInfo& info : tensors()) known.push_back(info.name);
  throw Error(ErrorKind::kNotFound,
              cat("no tensor \"", name, "\" in ", files().empty() ? "" : files().front().string(),
                  did_you_mean(name, known)));
}

std::unique_ptr<CheckpointReader> open_checkpoint_file(const fs::path& path) {
  MappedFile file(path);
  refuse_foreign_file(file);
  for (const Container* container : containers::all())
    if (container->recognises(file.bytes())) return container->open(std::move(file));
  // Nothing fits: the strictest reader says which rule is broken first.
  return containers::safetensors.open(std::move(file));
}

std::unique_ptr<CheckpointReader> open_checkpoint(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored) ? open_checkpoint_folder(path)
                                         : open_checkpoint_file(path);
}

}  // namespace nibble
