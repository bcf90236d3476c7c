// A checkpoint that lives in memory: what a layout wrote, ready to be read back.
#pragma once

#include <algorithm>
#include <vector>

#include "checkpoint/layout.h"

namespace nibble::test {

class MemoryCheckpoint final : public CheckpointReader {
 public:
  explicit MemoryCheckpoint(std::vector<NamedBytes> tensors) : stored_(std::move(tensors)) {
    std::sort(stored_.begin(), stored_.end(),
              [](const NamedBytes& a, const NamedBytes& b) { return a.info.name < b.info.name; });
    for (const NamedBytes& tensor : stored_) infos_.push_back(tensor.info);
  }
  std::span<const TensorInfo> tensors() const override { return infos_; }
  std::span<const std::byte> bytes(const TensorInfo& info) const override {
    for (const NamedBytes& tensor : stored_)
      if (tensor.info.name == info.name) return tensor.bytes;
    return {};
  }
  void drop(const TensorInfo&) const override {}
  std::vector<std::filesystem::path> files() const override { return {}; }

 private:
  std::vector<NamedBytes> stored_;
  std::vector<TensorInfo> infos_;
};

}  // namespace nibble::test
