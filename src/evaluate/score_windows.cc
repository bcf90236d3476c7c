#include "evaluate/score_windows.h"

#include <algorithm>
#include <vector>

#include "base/progress.h"
#include "base/text.h"
#include "evaluate/statistics.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::size_t kBatchTokens = 2048;
constexpr std::size_t kMaxPositions = 256;
constexpr std::size_t kLogitBytes = std::size_t{64} << 20;

// Positions whose logits are in memory at once.
std::size_t piece_positions(std::size_t vocabulary) {
  return std::clamp<std::size_t>(kLogitBytes / (vocabulary * sizeof(float)), 8, kMaxPositions);
}

// Windows [begin, end) of equal length that go through the models together.
std::size_t batch_end(const std::vector<Window>& windows, std::size_t begin) {
  const std::size_t length = windows[begin].length;
  const std::size_t most = std::max<std::size_t>(1, kBatchTokens / length);
  std::size_t end = begin + 1;
  while (end < windows.size() && end - begin < most && windows[end].length == length) ++end;
  return end;
}

class Runner {
 public:
  Runner(std::span<const ScoredModel> models, const ScoredText& text, const UseLogits& use)
      : models_(models), text_(text), use_(use) {
    const std::size_t vocabulary = models[0].model->hyper().vocabulary;
    positions_ = piece_positions(vocabulary);
    for (std::size_t i = 0; i < models.size(); ++i) logits_.emplace_back(positions_, vocabulary);
    for (const std::int32_t id : text.ids)
      if (id < 0 || static_cast<std::size_t>(id) >= vocabulary)
        throw Error(ErrorKind::kInvalidArgument,
                    cat("the tokenizer gives id ", id, ", but the model has only ", vocabulary,
                        " rows in its vocabulary"),
                    "use the tokenizer files that belong to this model");
  }

  void run_batch(std::span<const Window> windows) {
    const std::size_t length = windows[0].length;
    std::vector<std::int32_t> ids;
    for (const Window& window : windows) {
      const auto part = text_.window_ids(window);
      ids.insert(ids.end(), part.begin(), part.end());
    }
    std::vector<Tensor> hidden;
    for (const ScoredModel& scored : models_) {
      hidden.emplace_back(ids.size(), scored.model->hyper().hidden);
      scored.model->hidden_states(ids, length, hidden.back().view(), scored.compute);
    }
    for (std::size_t w = 0; w < windows.size(); ++w)
      use_window(hidden, w * length, windows[w], std::span(ids).subspan(w * length, length));
  }

 private:
  // hidden: one [batch tokens, hidden] per model; the window's rows begin at `first_row`.
  void use_window(const std::vector<Tensor>& hidden, std::size_t first_row, const Window& window,
                  std::span<const std::int32_t> ids) {
    for (std::size_t target = window.first_scored; target < window.length; target += positions_) {
      throw_if_stopped();
      const std::size_t count = std::min(positions_, window.length - target);
      std::vector<ConstMatrix> pieces;
      for (std::size_t m = 0; m < models_.size(); ++m) {
        const Matrix out = logits_[m].view().rows_at(0, count);
        models_[m].model->logits(hidden[m].view().rows_at(first_row + target - 1, count), out,
                                 models_[m].compute);
        pieces.emplace_back(out);
      }
      use_(pieces, ids.subspan(target, count));
    }
  }

  std::span<const ScoredModel> models_;
  const ScoredText& text_;
  const UseLogits& use_;
  std::size_t positions_ = 0;
  std::vector<Tensor> logits_;  // one per model
};

}  // namespace

void score_windows(std::span<const ScoredModel> models, const ScoredText& text,
                   const TokensDone& progress, const UseLogits& use, const Stretch& stretch) {
  Runner runner(models, text, use);
  const auto total = static_cast<double>(text.window_tokens());
  double done = 0;
  for (std::size_t i = 0; i < stretch.first; ++i)
    done += static_cast<double>(text.windows[i].length);
  if (progress) progress(done, total);
  for (std::size_t begin = stretch.first; begin < text.windows.size();) {
    throw_if_stopped();
    const std::size_t end = batch_end(text.windows, begin);
    const auto batch = std::span(text.windows).subspan(begin, end - begin);
    runner.run_batch(batch);
    done += static_cast<double>(batch.size() * batch[0].length);
    if (stretch.scored) stretch.scored(end);
    if (progress) progress(done, total);
    begin = end;
  }
}

std::vector<double> window_means(std::span<const double> values, std::span<const Window> windows) {
  std::vector<double> means;
  means.reserve(windows.size());
  std::size_t first = 0;
  for (const Window& window : windows) {
    const std::size_t count = window.length - window.first_scored;
    means.push_back(mean_of(values.subspan(first, count)).value);
    first += count;
  }
  return means;
}

}  // namespace nibble
