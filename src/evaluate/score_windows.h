// Runs models over the windows of a text, a few at a time, and hands out the logits of the scored
// positions in pieces: never more than one piece per model is in memory.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "evaluate/scored_text.h"
#include "model/transformer.h"

namespace nibble {

// logits: one matrix per model, [positions, vocabulary]; row i predicts targets[i].
using UseLogits =
    std::function<void(std::span<const ConstMatrix> logits, std::span<const std::int32_t> targets)>;
using TokensDone = std::function<void(double done, double total)>;

struct ScoredModel {
  const Transformer* model = nullptr;
  Compute compute = Compute::kFloat32;
};

// The windows that were scored before are left out; `scored` is told, after some more, how many of
// the text's are. A run that begins where another was told so gives the logits that that would have
// given.
struct Stretch {
  std::size_t first = 0;
  std::function<void(std::size_t windows)> scored = {};
};

// Models with the same vocabulary. Pieces come in the order of the text, whatever the threads.
void score_windows(std::span<const ScoredModel> models, const ScoredText& text,
                   const TokensDone& progress, const UseLogits& use, const Stretch& stretch = {});

// The mean of each window's part of `values`, which are one for each scored token, in order.
std::vector<double> window_means(std::span<const double> values, std::span<const Window> windows);

}  // namespace nibble
