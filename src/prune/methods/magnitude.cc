// The smallest weights of a matrix go, whatever they are multiplied with. It needs no text, and is
// what the others are measured against.
#include <cmath>

#include "base/parallel.h"
#include "prune/amount.h"

namespace nibble::pruning {
namespace {

constexpr std::size_t kRows = 64;

Outcome prune(const Task& task) {
  const ConstMatrix from = task.weight;
  const Amount amount = amount_of(task.options);
  Tensor scores(from.rows, from.columns), weight(from.rows, from.columns);
  std::vector<std::uint8_t> mask(scores.size());
  const MatrixView<std::uint8_t> marked(mask.data(), from.rows, from.columns);
  parallel_ranges(from.rows, kRows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t c = 0; c < from.columns; ++c) scores.view()(r, c) = std::fabs(from(r, c));
    if (amount.pattern)
      mark_rows(scores.view().rows_at(begin, end - begin), amount,
                marked.rows_at(begin, end - begin));
  });
  // A share is one of the whole matrix: rows of small weights lose more than others.
  if (!amount.pattern)
    mask = lowest({scores.data(), scores.size()}, share_of(amount.sparsity, scores.size()));
  parallel_ranges(from.rows, kRows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t c = 0; c < from.columns; ++c)
        weight.view()(r, c) = mask[r * from.columns + c] != 0 ? 0 : from(r, c);
  });
  return finished(task, std::move(weight));
}

}  // namespace

extern const Method magnitude{
    .name = "magnitude",
    .summary = "the smallest weights of each matrix go; no calibration",
    .options = kAmountOptions,
    .quantize = prune,
};

}  // namespace nibble::pruning
