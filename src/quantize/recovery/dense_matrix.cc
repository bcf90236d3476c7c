#include "quantize/recovery/dense_matrix.h"

#include <atomic>
#include <cstring>
#include <mutex>
#include <vector>

#include "base/parallel.h"
#include "kernels/kernels.h"

namespace nibble {

void DenseMatrix::read(std::size_t first, std::size_t count, float* out) const {
  const std::size_t size = static_cast<std::size_t>(bits(type)) / 8;
  // Rows that lie together are read at once.
  const std::size_t step = row_of == nullptr ? count : 1, weights = step * columns;
  std::vector<std::uint16_t> words(type == DType::kF32 ? 0 : weights);
  for (std::size_t r = 0; r < count; r += step, out += weights) {
    const std::size_t at = first_row + first + r;
    const std::byte* from =
        bytes.data() + (row_of == nullptr ? at : (*row_of)[at]) * columns * size;
    if (type == DType::kF32) {
      std::memcpy(out, from, weights * size);
      continue;
    }
    std::memcpy(words.data(), from, weights * size);
    (type == DType::kF16 ? kernels().half_to_float : kernels().bfloat16_to_float)(words.data(), out,
                                                                                  weights);
  }
}

DenseMatrix DenseMatrix::part(std::size_t first, std::size_t count) const {
  return {bytes, type, count, columns, first_row + first, row_of};
}

std::optional<Misfit> first_misfit(
    std::size_t rows, std::size_t grain,
    const std::function<std::optional<Misfit>(std::size_t begin, std::size_t end)>& work) {
  std::atomic<std::size_t> stop = rows;  // no range from here on can hold the first
  std::mutex mutex;
  std::optional<Misfit> first;
  parallel_ranges(rows, grain, [&](std::size_t begin, std::size_t end) {
    if (begin > stop) return;
    const auto misfit = work(begin, end);
    if (!misfit) return;
    const std::lock_guard lock(mutex);
    if (first && first->row < begin) return;
    first = misfit;
    stop = begin;
  });
  return first;
}

}  // namespace nibble
