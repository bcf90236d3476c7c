#include "nn/inputs/layer_input.h"

#include "nn/inputs/bfloat16_rows.h"
#include "nn/inputs/byte_matrix.h"
#include "nn/inputs/split_rows.h"
#include "nn/inputs/tiled_bytes.h"

namespace nibble {

LayerInput::LayerInput(ConstMatrix x) : x_(x) {}
LayerInput::LayerInput(Matrix x) : x_(x) {}
LayerInput::LayerInput(ConstMatrix x, ByteMatrix bytes)
    : x_(x), bytes_(std::make_unique<ByteMatrix>(std::move(bytes))) {}
LayerInput::~LayerInput() = default;

const ByteMatrix& LayerInput::bytes() const {
  if (bytes_ == nullptr) bytes_ = std::make_unique<ByteMatrix>(x_);
  return *bytes_;
}

// All layers of a model have one threshold, so that one form is kept.
const SplitRows& LayerInput::split(float threshold) const {
  if (split_ == nullptr || split_->threshold() != threshold)
    split_ = std::make_unique<SplitRows>(x_, threshold);
  return *split_;
}

const TiledBytes& LayerInput::byte_tiles(int offset) const {
  for (const auto& tiles : byte_tiles_)
    if (tiles->offset() == offset) return *tiles;
  byte_tiles_.push_back(std::make_unique<TiledBytes>(bytes().view(), x_.rows, offset));
  return *byte_tiles_.back();
}

const std::vector<std::uint16_t>& LayerInput::bfloat16() const {
  if (bfloat16_.empty()) bfloat16_ = to_bfloat16(x_);
  return bfloat16_;
}

const AlignedVector<std::uint16_t>& LayerInput::bfloat16_tiles() const {
  if (bfloat16_tiles_.empty()) bfloat16_tiles_ = nibble::bfloat16_tiles(x_);
  return bfloat16_tiles_;
}

}  // namespace nibble
