#include "prune/amount.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "base/text.h"
#include "nibble/error.h"
#include "quantize/layer/layer_error.h"
#include "tensor/half.h"

namespace nibble {
namespace {

constexpr double kLargestPattern = 4096;
constexpr std::array<std::string_view, 3> kTypes = {"bf16", "f16", "f32"};

std::optional<std::size_t> whole(std::string_view text) {
  std::size_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

extern const OptionSpec kSparsityOption{
    .name = "sparsity", .help = "share of the weights that goes", .initial = "0", .highest = 1};
extern const OptionSpec kStayOption{.name = "stay",
                                    .help = "weights that stay of each run; 0: no pattern",
                                    .initial = "0",
                                    .highest = kLargestPattern,
                                    .whole = true};
extern const OptionSpec kOfOption{.name = "of",
                                  .help = "weights in a run",
                                  .initial = "0",
                                  .highest = kLargestPattern,
                                  .whole = true};
extern const OptionSpec kTypeOption{
    .name = "type", .help = "of the written weights", .initial = "bf16", .words = kTypes};

Pattern parse_pattern(std::string_view text) {
  const auto colon = text.find(':');
  if (colon != text.npos) {
    const auto stay = whole(text.substr(0, colon)), of = whole(text.substr(colon + 1));
    if (stay && of && *stay > 0 && *stay < *of && static_cast<double>(*of) <= kLargestPattern)
      return {*stay, *of};
  }
  throw Error(ErrorKind::kInvalidArgument,
              cat("--pattern \"", text, "\" is no N:M with 0 < N < M: of every M weights N stay"),
              "write --pattern 2:4 or --pattern 4:8");
}

void set_amount(const Amount& amount, Options& options) {
  options.set(kSparsityOption, cat(amount.sparsity));
  options.set(kStayOption, cat(amount.pattern ? amount.pattern->stay : 0));
  options.set(kOfOption, cat(amount.pattern ? amount.pattern->of : 0));
}

Amount amount_of(const Options& options) {
  Amount amount;
  amount.sparsity = options.number("sparsity");
  const auto stay = static_cast<std::size_t>(options.number("stay"));
  if (stay > 0) amount.pattern = Pattern{stay, static_cast<std::size_t>(options.number("of"))};
  return amount;
}

std::vector<std::uint8_t> lowest(std::span<const float> scores, std::size_t count) {
  std::vector<std::uint8_t> mask(scores.size());
  if (count == 0) return mask;
  count = std::min(count, scores.size());
  std::vector<float> sorted(scores.begin(), scores.end());
  for (float& score : sorted)  // what is no number has no order
    if (std::isnan(score)) score = std::numeric_limits<float>::infinity();
  const auto last = sorted.begin() + static_cast<std::ptrdiff_t>(count - 1);
  std::nth_element(sorted.begin(), last, sorted.end());
  const float threshold = *last;
  // Those below it go; what is missing then is taken from those that equal it, from the front.
  auto equal = count - static_cast<std::size_t>(std::count_if(
                           sorted.begin(), last, [&](float score) { return score < threshold; }));
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] < threshold) mask[i] = 1;
    if (scores[i] == threshold && equal > 0) {
      mask[i] = 1;
      --equal;
    }
  }
  return mask;
}

std::size_t share_of(double sparsity, std::size_t weights) {
  // A share such as 0.3 is a little less than it says: 0.3 · 10 is to be 3.
  return static_cast<std::size_t>(std::floor(sparsity * static_cast<double>(weights) + 1e-6));
}

void mark_rows(ConstMatrix scores, const Amount& amount, MatrixView<std::uint8_t> mask) {
  const std::size_t run = amount.pattern ? amount.pattern->of : scores.columns;
  const std::size_t count = amount.pattern ? amount.pattern->of - amount.pattern->stay
                                           : share_of(amount.sparsity, scores.columns);
  for (std::size_t r = 0; r < scores.rows; ++r)
    for (std::size_t c = 0; c + run <= scores.columns; c += run) {
      const auto marked = lowest({scores.row(r) + c, run}, count);
      std::copy(marked.begin(), marked.end(), mask.row(r) + c);
    }
}

Outcome finished(const Task& task, Tensor weight) {
  const std::string& type = task.options.text("type");
  parallel_ranges(weight.rows(), 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      for (float& value : weight.view().row_span(r)) {
        if (type == "bf16") value = bfloat16_to_float(float_to_bfloat16(value));
        if (type == "f16") value = half_to_float(float_to_half(value));
        if (!std::isfinite(value))
          throw Error(ErrorKind::kNumeric, cat("a weight becomes ", value, " as ", type),
                      "calibrate on more or other text, or raise --damping");
      }
  });
  Outcome outcome;
  outcome.dense = std::move(weight);
  measure(task, outcome);
  return outcome;
}

}  // namespace nibble
