// Wanda (Sun et al. 2023): a weight counts as much as what it adds to its output, |w|·‖x‖ over the
// calibration tokens; in each row the least go, and the others stay as they are. Rows are compared
// with themselves only: every output keeps the same number of inputs.
#include <cmath>

#include "base/parallel.h"
#include "nibble/error.h"
#include "prune/amount.h"

namespace nibble::pruning {
namespace {

constexpr std::size_t kRows = 16;

Outcome prune(const Task& task) {
  const ConstMatrix from = task.weight;
  const Amount amount = amount_of(task.options);
  std::vector<float> lengths(from.columns);
  std::size_t dead = 0;
  for (std::size_t c = 0; c < from.columns; ++c) {
    lengths[c] = std::sqrt(task.hessian(c, c));
    if (!std::isfinite(lengths[c]))
      throw Error(ErrorKind::kNumeric, "the inputs are not finite",
                  "check the model with `nibble perplexity`; --compute f32 reaches further");
    dead += lengths[c] == 0 ? 1 : 0;
  }
  Tensor weight(from.rows, from.columns);
  parallel_ranges(from.rows, kRows, [&](std::size_t begin, std::size_t end) {
    Tensor scores(end - begin, from.columns);
    std::vector<std::uint8_t> mask(scores.size());
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t c = 0; c < from.columns; ++c)
        scores.view()(r - begin, c) = std::fabs(from(r, c)) * lengths[c];
    mark_rows(scores.view(), amount, {mask.data(), end - begin, from.columns});
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t c = 0; c < from.columns; ++c)
        weight.view()(r, c) = mask[(r - begin) * from.columns + c] != 0 ? 0 : from(r, c);
  });
  Outcome outcome = finished(task, std::move(weight));
  outcome.dead_columns = dead;
  return outcome;
}

}  // namespace

extern const Method wanda{
    .name = "wanda",
    .summary = "by weight times input, row by row; the others stay as they are",
    .needs = Needs::kHessian,
    .options = kAmountOptions,
    .quantize = prune,
};

}  // namespace nibble::pruning
