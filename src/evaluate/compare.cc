#include "evaluate/compare.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "base/text.h"
#include "evaluate/statistics.h"
#include "model/open_tokenizer.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::size_t kPositionsPerTile = 8;  // share the room for two rows

template <typename Field>
std::vector<double> values_of(std::span<const PositionDifference> positions, Field field) {
  std::vector<double> values;
  values.reserve(positions.size());
  for (const PositionDifference& position : positions)
    values.push_back(static_cast<double>(field(position)));
  return values;
}

void summarise_divergence(std::vector<double> values, CompareResult& result) {
  const Mean mean = mean_of(values);
  result.mean_kl = mean.value;
  result.mean_kl_error = mean.error;
  std::sort(values.begin(), values.end());
  result.median_kl = percentile(values, 0.5);
  result.kl_p90 = percentile(values, 0.9);
  result.kl_p95 = percentile(values, 0.95);
  result.kl_p99 = percentile(values, 0.99);
  result.kl_p999 = percentile(values, 0.999);
  result.max_kl = values.back();
}

void refuse_different_vocabularies(const ModelSource& base, const ModelSource& other) {
  if (base.hyper().vocabulary != other.hyper().vocabulary)
    throw Error(ErrorKind::kInvalidArgument,
                cat("the models cannot be compared: ", base.path().string(), " has ",
                    base.hyper().vocabulary, " tokens in its vocabulary, ", other.path().string(),
                    " has ", other.hyper().vocabulary),
                "compare a model with its own quantized form");
}

void refuse_different_tokens(const ScoredText& base, const ScoredText& other) {
  if (base.ids == other.ids && base.bos == other.bos) return;
  const auto place =
      std::mismatch(base.ids.begin(), base.ids.end(), other.ids.begin(), other.ids.end()).first -
      base.ids.begin();
  throw Error(
      ErrorKind::kInvalidArgument,
      cat("the models cannot be compared: their tokenizers read the text differently from "
          "token ",
          place, " on"),
      "--tokenizer base reads it for both as BASE does; or put BASE's tokenizer.json beside "
      "OTHER");
}

}  // namespace

CompareResult summarise(std::span<const PositionDifference> positions) {
  using Position = PositionDifference;
  CompareResult result;
  if (positions.empty()) return result;
  const auto count = static_cast<double>(positions.size());
  summarise_divergence(values_of(positions, [](const Position& p) { return p.kl; }), result);

  result.top1 = mean_of(values_of(positions, [](const Position& p) { return p.same_top; })).value;
  result.top1_error = std::sqrt(result.top1 * (1 - result.top1) / std::max(1.0, count - 1));

  double squares = 0;
  const auto delta =
      values_of(positions, [](const Position& p) { return p.other_target - p.base_target; });
  for (const double value : delta) squares += value * value;
  result.mean_delta_p = mean_of(delta).value;
  result.rms_delta_p = std::sqrt(squares / count);

  const Mean base = mean_of(values_of(positions, [](const Position& p) { return p.base_loss; }));
  const Mean other = mean_of(values_of(positions, [](const Position& p) { return p.other_loss; }));
  const Mean ratio =
      mean_of(values_of(positions, [](const Position& p) { return p.other_loss - p.base_loss; }));
  result.perplexity_base = std::exp(base.value);
  result.perplexity_base_error = result.perplexity_base * base.error;
  result.perplexity = std::exp(other.value);
  result.perplexity_error = result.perplexity * other.error;
  result.log_ratio = ratio.value;
  result.log_ratio_error = ratio.error;
  return result;
}

CompareResult compare(const ScoredModel& base, const ScoredModel& other, const ScoredText& text,
                      const TokensDone& progress, KeptScores* kept) {
  std::vector<PositionDifference> positions;
  const Stretch stretch = KeptScores::stretch(kept, positions);
  positions.reserve(text.scope.tokens);
  const ScoredModel models[] = {base, other};
  score_windows(
      models, text, progress,
      [&](std::span<const ConstMatrix> logits, std::span<const std::int32_t> targets) {
        const std::size_t first = positions.size();
        positions.resize(first + targets.size());
        parallel_ranges(targets.size(), kPositionsPerTile, [&](std::size_t begin, std::size_t end) {
          DivergenceRoom room;
          for (std::size_t i = begin; i < end; ++i)
            positions[first + i] =
                compare_position(logits[0].row_span(i), logits[1].row_span(i), targets[i], room);
        });
      },
      stretch);
  if (kept != nullptr) kept->remove();
  CompareResult result = summarise(positions);
  result.scope = text.scope;
  const auto losses = [&](auto field) {
    return window_means(values_of(std::span<const PositionDifference>(positions), field),
                        text.windows);
  };
  result.window_nll_base = losses([](const PositionDifference& p) { return p.base_loss; });
  result.window_nll = losses([](const PositionDifference& p) { return p.other_loss; });
  return result;
}

CompareResult compare_models(const std::filesystem::path& base, const std::filesystem::path& other,
                             const std::filesystem::path& text, const MeasureOptions& options) {
  const ModelSource base_source(base), other_source(other, options.adapter);
  for (const ModelSource* source : {&base_source, &other_source})
    for (const std::string& note : source->notes())
      if (options.log) options.log(cat(source->path().string(), ": ", note));
  refuse_different_vocabularies(base_source, other_source);
  const TextToScore read =
      read_text_to_score(text, base_source.path(), base_source.hyper().context, options);
  const ScoredText scored = make_scored_text(*open_tokenizer(base_source.path()), read,
                                             base_source.hyper().context, options);
  if (!options.base_tokenizer) {
    MeasureOptions silent = options;
    silent.log = nullptr;
    refuse_different_tokens(scored, make_scored_text(*open_tokenizer(other_source.path()), read,
                                                     base_source.hyper().context, silent));
  }
  const ModelSource* const models[] = {&base_source, &other_source};
  KeptScores kept(models, scored, options);
  Transformer base_model(base_source), other_model(other_source);
  const Compute other_compute = options.compute_other.value_or(options.compute);
  base_model.prepare(options.compute);
  other_model.prepare(other_compute);
  for (const std::string& note :
       {base_model.note_on(options.compute), other_model.note_on(other_compute)})
    if (options.log && !note.empty()) options.log(note);
  return compare({&base_model, options.compute}, {&other_model, other_compute}, scored,
                 options.progress, &kept);
}

}  // namespace nibble
