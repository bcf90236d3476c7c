// safetensors: a JSON header and the tensors' bytes, mapped as they lie (safetensors_header.h).
#include <utility>

#include "base/text.h"
#include "checkpoint/container.h"
#include "checkpoint/safetensors_header.h"
#include "nibble/error.h"

namespace nibble {
namespace {

class SafetensorsReader final : public CheckpointReader {
 public:
  explicit SafetensorsReader(MappedFile file)
      : file_(std::move(file)), header_(read_safetensors_header(file_.bytes())) {}

  std::span<const TensorInfo> tensors() const override { return header_.tensors; }

  std::span<const std::byte> bytes(const TensorInfo& info) const override {
    const TensorInfo& own = at(info.name);
    const auto index = static_cast<std::size_t>(&own - header_.tensors.data());
    return file_.bytes().subspan(header_.offsets[index], own.bytes);
  }

  void drop(const TensorInfo& info) const override { file_.drop(bytes(info)); }

  std::vector<std::filesystem::path> files() const override { return {file_.path()}; }

 private:
  MappedFile file_;
  SafetensorsHeader header_;
};

bool recognises(std::span<const std::byte> file) {
  return file.size() > 8 && file[8] == std::byte{'{'};
}

std::unique_ptr<CheckpointReader> open(MappedFile file) {
  const std::string path = file.path().string();
  return with_context(path, [&] { return std::make_unique<SafetensorsReader>(std::move(file)); });
}

}  // namespace

namespace containers {
extern const Container safetensors{.name = "safetensors", .recognises = recognises, .open = open};
}

}  // namespace nibble
