// Keys or values of one sequence in one layer, in one of the cache's types.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "nibble/tensor.h"

namespace nibble {

enum class KvType { kFloat32, kFloat16, kBfloat16, kQ8_0 };
std::string_view name_of(KvType type);  // "f32", "f16", "bf16", "q8_0"

// A look at rows [rows, columns] of one type; q8_0: int8 codes and a float scale for each 32
// columns.
struct KvView {
  KvType type = KvType::kFloat32;
  const void* values = nullptr;
  const float* scales = nullptr;
  std::size_t rows = 0, columns = 0;
  std::size_t stride = 0;  // values between rows; of scales a 32nd

  KvView() = default;
  KvView(ConstMatrix floats)  // NOLINT: rows that are floats already
      : values(floats.values), rows(floats.rows), columns(floats.columns), stride(floats.stride) {}
  KvView rows_at(std::size_t begin, std::size_t count) const;
  // q8_0: `begin` and `count` are multiples of 32.
  KvView columns_at(std::size_t begin, std::size_t count) const;

  // out[r] = Σ_c rows(r, c) · x[c]
  void products(const float* x, float* out) const;
  // out[c] += Σ_r weights[r] · rows(r, c)
  void mix(const float* weights, float* out) const;
  void to_float(Matrix out) const;
};

class KvRows {
 public:
  KvRows() = default;
  // kQ8_0: columns are a multiple of 32.
  KvRows(KvType type, std::size_t capacity, std::size_t columns);
  void put(std::size_t first_row, ConstMatrix rows);
  KvView view(std::size_t rows) const;
  // Room for `capacity` rows; the first `used` are kept.
  void grow(std::size_t capacity, std::size_t used);
  static std::size_t bytes(KvType type, std::size_t columns);  // of one row

 private:
  KvType type_ = KvType::kFloat32;
  std::size_t columns_ = 0;
  std::unique_ptr<std::byte[]> values_;
  std::unique_ptr<float[]> scales_;
};

}  // namespace nibble
