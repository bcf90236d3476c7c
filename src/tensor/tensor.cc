#include "nibble/tensor.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace nibble {

Tensor::Tensor(std::size_t rows, std::size_t columns) : rows_(rows), columns_(columns) {
  std::size_t count = 0, bytes = 0;
  if (__builtin_mul_overflow(rows, columns, &count) ||
      __builtin_mul_overflow(count, sizeof(float), &bytes) || bytes > SIZE_MAX - 63)
    throw std::bad_alloc();
  if (count == 0) return;
  values_.reset(static_cast<float*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64)));
  if (!values_) throw std::bad_alloc();
}

void Tensor::Free::operator()(float* values) const { std::free(values); }

void Tensor::fill(float value) { std::fill_n(data(), size(), value); }

Tensor Tensor::clone() const {
  Tensor copy(rows_, columns_);
  if (size() != 0) std::memcpy(copy.data(), data(), size() * sizeof(float));
  return copy;
}

}  // namespace nibble
