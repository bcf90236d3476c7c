#include "quantize/types/stored_tensor.h"

#include <algorithm>

#include "base/parallel.h"
#include "base/progress.h"
#include "kernels/kernels.h"

namespace nibble {
namespace {

constexpr std::size_t kRowsAtOnce = 256;

std::unique_ptr<Linear> linear_of(const ModelSource& source, const PlannedTensor& tensor,
                                  Block& block) {
  if (tensor.part == GgufPart::kEmbedding) return source.embedding();
  if (tensor.part == GgufPart::kHead) return source.head();
  block = source.block(tensor.layer);
  for (std::size_t role = 0; role < kRoles; ++role)
    if (gguf_part_of(static_cast<Role>(role)) == tensor.part) return std::move(block.linears[role]);
  return nullptr;
}

// One row in its type, and the weights that this means.
void store_row(const GgufType& type, const float* weights, const float* importance,
               std::size_t columns, std::byte* out, float* meant) {
  if (type.blocks != nullptr) {
    auto* blocks = reinterpret_cast<std::uint8_t*>(out);
    type.blocks->encode(weights, importance, columns / type.blocks->block, blocks);
    type.blocks->decode(blocks, columns / type.blocks->block, meant);
    return;
  }
  if (type.dtype == DType::kF32) {
    std::copy_n(weights, columns, reinterpret_cast<float*>(out));
    std::copy_n(weights, columns, meant);
    return;
  }
  auto* words = reinterpret_cast<std::uint16_t*>(out);
  const bool half = type.dtype == DType::kF16;
  (half ? kernels().float_to_half : kernels().float_to_bfloat16)(weights, words, columns);
  (half ? kernels().half_to_float : kernels().bfloat16_to_float)(words, meant, columns);
}

}  // namespace

StoredTensor stored_tensor(const ModelSource& source, const PlannedTensor& tensor,
                           std::span<const float> importance) {
  Block block;
  const auto linear = linear_of(source, tensor, block);
  const std::size_t row_bytes = tensor.columns / tensor.type.block() * tensor.type.block_bytes();
  StoredTensor stored;
  stored.bytes.resize(tensor.rows * row_bytes);
  Tensor weights(std::min(kRowsAtOnce, tensor.rows), tensor.columns);
  Tensor meant(weights.view().rows, tensor.columns);
  std::vector<double> lost(weights.view().rows), all(weights.view().rows);
  double lost_sum = 0, sum = 0;
  for (std::size_t first = 0; first < tensor.rows; first += kRowsAtOnce) {
    throw_if_stopped();
    const std::size_t count = std::min(kRowsAtOnce, tensor.rows - first);
    linear->decode(first, {weights.view().row(0), count, tensor.columns});
    parallel_ranges(count, 8, [&](std::size_t begin, std::size_t end) {
      for (std::size_t r = begin; r < end; ++r) {
        const float* row = weights.view().row(r);
        float* back = meant.view().row(r);
        store_row(tensor.type, row, importance.empty() ? nullptr : importance.data(),
                  tensor.columns, stored.bytes.data() + (first + r) * row_bytes, back);
        lost[r] = all[r] = 0;
        for (std::size_t c = 0; c < tensor.columns; ++c) {
          const double weight = row[c], difference = weight - static_cast<double>(back[c]);
          lost[r] += difference * difference;
          all[r] += weight * weight;
        }
      }
    });
    for (std::size_t r = 0; r < count; ++r) {
      lost_sum += lost[r];
      sum += all[r];
    }
  }
  stored.weight_error = sum > 0 ? lost_sum / sum : 0;
  return stored;
}

}  // namespace nibble
