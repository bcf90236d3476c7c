// SparseGPT (Frantar & Alistarh 2023): columns from left to right; what a weight that goes took
// part in is taken up by the weights of its row still to come, through U with H⁻¹ = UᵀU, as in
// GPTQ. What goes is chosen 128 columns at a time, by w² / U_jj², the loss that is left when the
// later columns have made up for it: over all rows together, so that rows may differ, or by a
// pattern in each row from the weights as they are by then.
#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "base/progress.h"
#include "base/text.h"
#include "kernels/kernels.h"
#include "nibble/error.h"
#include "nn/matmul.h"
#include "prune/amount.h"
#include "quantize/layer/feedback_options.h"
#include "quantize/layer/inverse_factor.h"

namespace nibble::pruning {
namespace {

constexpr std::size_t kBlock = 128;   // columns that are chosen from together
constexpr std::size_t kRowTile = 32;  // rows that a thread takes at a time

class Walk {
 public:
  Walk(Matrix weight, ConstMatrix upper, const Amount& amount)
      : weight_(weight), u_(upper), amount_(amount) {
    // A pattern's runs do not cross blocks.
    if (amount.pattern)
      block_ = std::max(kBlock / amount.pattern->of, std::size_t{1}) * amount.pattern->of;
  }

  void run() {
    for (std::size_t begin = 0; begin < weight_.columns; begin += block_) {
      const std::size_t width = std::min(block_, weight_.columns - begin);
      mask_.assign(weight_.rows * width, 0);
      if (!amount_.pattern) choose(begin, width);
      parallel_ranges(weight_.rows, kRowTile, [&](std::size_t first, std::size_t end) {
        throw_if_stopped();
        feed_back(first, end - first, begin, width);
      });
    }
  }

 private:
  float score(float weight, std::size_t column) const {
    const float loss = weight / u_(column, column);
    return loss * loss;
  }

  void choose(std::size_t begin, std::size_t width) {
    std::vector<float> scores(weight_.rows * width);
    parallel_ranges(weight_.rows, kRowTile, [&](std::size_t first, std::size_t end) {
      for (std::size_t r = first; r < end; ++r)
        for (std::size_t c = 0; c < width; ++c)
          scores[r * width + c] = score(weight_(r, begin + c), begin + c);
    });
    mask_ = lowest(scores, share_of(amount_.sparsity, scores.size()));
  }

  void choose_run(const float* weight, std::size_t column, std::uint8_t* mask) const {
    std::vector<float> scores(amount_.pattern->of);
    for (std::size_t k = 0; k < scores.size(); ++k) scores[k] = score(weight[k], column + k);
    const auto marked = lowest(scores, amount_.pattern->of - amount_.pattern->stay);
    std::copy(marked.begin(), marked.end(), mask);
  }

  // Inside the block at once, to all later columns when it is done.
  void feed_back(std::size_t first, std::size_t rows, std::size_t begin, std::size_t width) {
    Tensor errors(rows, width);
    errors.fill(0);
    for (std::size_t r = 0; r < rows; ++r) {
      float* const w = weight_.row(first + r) + begin;
      std::uint8_t* const mask = mask_.data() + (first + r) * width;
      for (std::size_t c = 0; c < width; ++c) {
        if (amount_.pattern && c % amount_.pattern->of == 0) choose_run(w + c, begin + c, mask + c);
        if (mask[c] == 0) continue;
        const float* const u = u_.row(begin + c) + begin;
        const float error = w[c] / u[c];
        errors.view()(r, c) = error;
        w[c] = 0;
        kernels().add_scaled(-error, u + c + 1, w + c + 1, width - c - 1);
      }
    }
    const std::size_t next = begin + width, rest = weight_.columns - next;
    if (rest == 0) return;
    Tensor change(rows, rest);
    matmul_plain(errors.view(), ConstMatrix(u_.row(begin) + next, width, rest, u_.stride),
                 change.view());
    for (std::size_t r = 0; r < rows; ++r)
      kernels().add_scaled(-1, change.view().row(r), weight_.row(first + r) + next, rest);
  }

  Matrix weight_;
  ConstMatrix u_;
  Amount amount_;
  std::size_t block_ = kBlock;
  std::vector<std::uint8_t> mask_;  // of the block
};

Outcome prune(const Task& task) {
  const auto factor = damped_factor({task.hessian, {}, task.options.number("damping")});
  if (!factor)
    throw Error(ErrorKind::kNumeric, "the Hessian of its inputs has no inverse at any damping",
                "calibrate on more or other text, or take --method wanda");
  Tensor weight(task.weight.rows, task.weight.columns);
  std::size_t dead = 0;
  for (std::size_t c = 0; c < weight.columns(); ++c) {
    const bool live = task.hessian(c, c) > 0;
    dead += live ? 0 : 1;
    // What only ever met zeros goes first, and nothing has to make up for it.
    for (std::size_t r = 0; r < weight.rows(); ++r)
      weight.view()(r, c) = live ? task.weight(r, c) : 0;
  }
  Walk(weight.view(), factor->upper.view(), amount_of(task.options)).run();
  Outcome outcome = finished(task, std::move(weight));
  outcome.damping = factor->damping;
  outcome.dead_columns = dead;
  if (factor->raised)
    outcome.notes.push_back(cat("damping raised to ", factor->damping, " of the mean diagonal"));
  return outcome;
}

constexpr std::array kOptions = {&kSparsityOption, &kStayOption, &kOfOption, &kTypeOption,
                                 &kDampingOption};

}  // namespace

extern const Method sparsegpt{
    .name = "sparsegpt",
    .summary = "like GPTQ: the weights that stay make up for those that go",
    .needs = Needs::kHessian,
    .options = kOptions,
    .quantize = prune,
    .cost_power = 1,
};

}  // namespace nibble::pruning
