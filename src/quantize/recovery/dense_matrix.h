// Weights as a checkpoint has them, in F16, BF16 or F32, at any alignment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "nibble/dtype.h"

namespace nibble {

struct DenseMatrix {
  std::span<const std::byte> bytes;  // [stored rows, columns]
  DType type = DType::kBF16;
  std::size_t rows = 0, columns = 0;
  std::size_t first_row = 0;
  // Where the checkpoint has another order: row r is the stored row row_of[first_row + r]. Null:
  // first_row + r.
  std::shared_ptr<const std::vector<std::uint32_t>> row_of = nullptr;

  // `count` rows from `first` on; out [count, columns].
  void read(std::size_t first, std::size_t count, float* out) const;
  DenseMatrix part(std::size_t first, std::size_t count) const;
};

struct Misfit {  // where the first weights lie that a grid does not explain
  std::size_t row = 0, column = 0;
};

// Calls work(begin, end) for ranges of `grain` rows on all threads; it gives the first place that
// does not fit. Ranges behind one that does not fit are left out. The same
// answer for any number of threads.
std::optional<Misfit> first_misfit(
    std::size_t rows, std::size_t grain,
    const std::function<std::optional<Misfit>(std::size_t begin, std::size_t end)>& work);

}  // namespace nibble
