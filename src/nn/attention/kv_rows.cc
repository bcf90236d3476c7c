#include "nn/attention/kv_rows.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels/kernels.h"

namespace nibble {
namespace {

constexpr std::size_t kBlock = 32;
// Rows of bytes are widened in tiles that stay in the first cache.
constexpr std::size_t kTileFloats = 4096;

std::size_t value_bytes(KvType type) {
  switch (type) {
    case KvType::kFloat32:
      return 4;
    case KvType::kFloat16:
    case KvType::kBfloat16:
      return 2;
    case KvType::kQ8_0:
      return 1;
  }
  return 0;
}

const float* floats(const KvView& view) { return static_cast<const float*>(view.values); }
const std::uint16_t* words(const KvView& view) {
  return static_cast<const std::uint16_t*>(view.values);
}

// Calls use(first row, rows as floats) for tiles of a q8_0 view.
template <typename Use>
void for_tiles(const KvView& view, const Use& use) {
  alignas(64) std::array<float, kTileFloats> storage;
  std::vector<float> wide;  // only for rows longer than a tile
  float* tile = storage.data();
  if (view.columns > kTileFloats) {
    wide.resize(view.columns);
    tile = wide.data();
  }
  const std::size_t step = std::max<std::size_t>(1, kTileFloats / view.columns);
  for (std::size_t first = 0; first < view.rows; first += step) {
    const std::size_t count = std::min(step, view.rows - first);
    const Matrix rows(tile, count, view.columns);
    view.rows_at(first, count).to_float(rows);
    use(first, rows);
  }
}

}  // namespace

std::string_view name_of(KvType type) {
  constexpr std::array<std::string_view, 4> kNames = {"f32", "f16", "bf16", "q8_0"};
  return kNames[static_cast<std::size_t>(type)];
}

KvView KvView::rows_at(std::size_t begin, std::size_t count) const {
  KvView view = *this;
  view.values = static_cast<const std::byte*>(values) + begin * stride * value_bytes(type);
  if (scales != nullptr) view.scales = scales + begin * stride / kBlock;
  view.rows = count;
  return view;
}

KvView KvView::columns_at(std::size_t begin, std::size_t count) const {
  KvView view = *this;
  view.values = static_cast<const std::byte*>(values) + begin * value_bytes(type);
  if (scales != nullptr) view.scales = scales + begin / kBlock;
  view.columns = count;
  return view;
}

void KvView::products(const float* x, float* out) const {
  const Kernels& k = kernels();
  switch (type) {
    case KvType::kFloat32:
      return k.gemv_float(floats(*this), stride, x, rows, columns, out);
    case KvType::kFloat16:
      return k.gemv_half(words(*this), stride, x, rows, columns, out);
    case KvType::kBfloat16:
      return k.gemv_bfloat16(words(*this), stride, x, rows, columns, out);
    case KvType::kQ8_0:
      return for_tiles(*this, [&](std::size_t first, ConstMatrix tile) {
        k.gemv_float(tile.values, tile.stride, x, tile.rows, columns, out + first);
      });
  }
}

void KvView::mix(const float* weights, float* out) const {
  const Kernels& k = kernels();
  switch (type) {
    case KvType::kFloat32:
      return k.mix_float(weights, floats(*this), stride, rows, columns, out);
    case KvType::kFloat16:
      return k.mix_half(weights, words(*this), stride, rows, columns, out);
    case KvType::kBfloat16:
      return k.mix_bfloat16(weights, words(*this), stride, rows, columns, out);
    case KvType::kQ8_0:
      return for_tiles(*this, [&](std::size_t first, ConstMatrix tile) {
        k.mix_float(weights + first, tile.values, tile.stride, tile.rows, columns, out);
      });
  }
}

void KvView::to_float(Matrix out) const {
  const Kernels& k = kernels();
  for (std::size_t r = 0; r < rows; ++r) {
    const std::size_t at = r * stride;
    switch (type) {
      case KvType::kFloat32:
        std::copy_n(floats(*this) + at, columns, out.row(r));
        break;
      case KvType::kFloat16:
        k.half_to_float(words(*this) + at, out.row(r), columns);
        break;
      case KvType::kBfloat16:
        k.bfloat16_to_float(words(*this) + at, out.row(r), columns);
        break;
      case KvType::kQ8_0:
        k.bytes_to_float(static_cast<const std::int8_t*>(values) + at, scales + at / kBlock,
                         columns / kBlock, out.row(r));
        break;
    }
  }
}

KvRows::KvRows(KvType type, std::size_t capacity, std::size_t columns)
    : type_(type), columns_(columns) {
  // Pages that are never written take no memory: neither is set to zero.
  values_ = std::make_unique_for_overwrite<std::byte[]>(capacity * columns * value_bytes(type));
  if (type == KvType::kQ8_0)
    scales_ = std::make_unique_for_overwrite<float[]>(capacity * columns / kBlock);
}

void KvRows::put(std::size_t first_row, ConstMatrix rows) {
  const Kernels& k = kernels();
  std::vector<std::int32_t> sums;
  for (std::size_t r = 0; r < rows.rows; ++r) {
    const std::size_t at = (first_row + r) * columns_;
    std::byte* to = values_.get() + at * value_bytes(type_);
    switch (type_) {
      case KvType::kFloat32:
        std::memcpy(to, rows.row(r), columns_ * sizeof(float));
        break;
      case KvType::kFloat16:
        k.float_to_half(rows.row(r), reinterpret_cast<std::uint16_t*>(to), columns_);
        break;
      case KvType::kBfloat16:
        k.float_to_bfloat16(rows.row(r), reinterpret_cast<std::uint16_t*>(to), columns_);
        break;
      case KvType::kQ8_0:
        sums.resize(columns_ / 16);
        k.round_to_bytes(rows.row(r), columns_ / kBlock, reinterpret_cast<std::int8_t*>(to),
                         scales_.get() + at / kBlock, sums.data());
        break;
    }
  }
}

void KvRows::grow(std::size_t capacity, std::size_t used) {
  KvRows larger(type_, capacity, columns_);
  std::memcpy(larger.values_.get(), values_.get(), used * columns_ * value_bytes(type_));
  if (scales_) std::copy_n(scales_.get(), used * columns_ / kBlock, larger.scales_.get());
  *this = std::move(larger);
}

KvView KvRows::view(std::size_t rows) const {
  KvView view;
  view.type = type_;
  view.values = values_.get();
  view.scales = scales_.get();
  view.rows = rows;
  view.columns = view.stride = columns_;
  return view;
}

std::size_t KvRows::bytes(KvType type, std::size_t columns) {
  return columns * value_bytes(type) +
         (type == KvType::kQ8_0 ? columns / kBlock * sizeof(float) : 0);
}

}  // namespace nibble
