// Rows of numbers: `Tensor` owns them, `MatrixView` looks at them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>

namespace nibble {

// A row-major view; does not own. Rows may lie `stride` elements apart.
template <typename T>
struct MatrixView {
  T* values = nullptr;
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t stride = 0;

  MatrixView() = default;
  MatrixView(T* first, std::size_t row_count, std::size_t column_count)
      : values(first), rows(row_count), columns(column_count), stride(column_count) {}
  MatrixView(T* first, std::size_t row_count, std::size_t column_count, std::size_t row_stride)
      : values(first), rows(row_count), columns(column_count), stride(row_stride) {}
  template <typename U>
  requires(std::is_const_v<T>&& std::is_same_v<U, std::remove_const_t<T>>)
      MatrixView(const MatrixView<U>& other)  // NOLINT: a view becomes read-only without a word
      : values(other.values), rows(other.rows), columns(other.columns), stride(other.stride) {}

  T* row(std::size_t index) const { return values + index * stride; }
  std::span<T> row_span(std::size_t index) const { return {row(index), columns}; }
  T& operator()(std::size_t r, std::size_t c) const { return values[r * stride + c]; }
  // Rows [begin, begin + count).
  MatrixView rows_at(std::size_t begin, std::size_t count) const {
    return {values + begin * stride, count, columns, stride};
  }
  // Columns [begin, begin + count).
  MatrixView columns_at(std::size_t begin, std::size_t count) const {
    return {values + begin, rows, count, stride};
  }
};

using Matrix = MatrixView<float>;
using ConstMatrix = MatrixView<const float>;

// Owns rows × columns floats, 64-byte aligned, not initialised. Moves, does not copy.
class Tensor {
 public:
  Tensor() = default;
  Tensor(std::size_t rows, std::size_t columns);
  Tensor(Tensor&& other) noexcept = default;
  Tensor& operator=(Tensor&& other) noexcept = default;

  std::size_t rows() const { return rows_; }
  std::size_t columns() const { return columns_; }
  std::size_t size() const { return rows_ * columns_; }
  float* data() { return values_.get(); }
  const float* data() const { return values_.get(); }
  Matrix view() { return {data(), rows_, columns_}; }
  ConstMatrix view() const { return {data(), rows_, columns_}; }
  void fill(float value);
  Tensor clone() const;

 private:
  struct Free {
    void operator()(float* values) const;
  };
  std::unique_ptr<float[], Free> values_;
  std::size_t rows_ = 0;
  std::size_t columns_ = 0;
};

}  // namespace nibble
