#include "evaluate/perplexity.h"

#include <cmath>

#include "base/parallel.h"
#include "evaluate/statistics.h"
#include "kernels/kernels.h"
#include "model/open_tokenizer.h"
#include "nibble/error.h"

namespace nibble {

double negative_log_probability(std::span<const float> logits, std::int32_t target) {
  float max = 0;
  const double sum = kernels().exp_sum(logits.data(), logits.size(), &max);
  const double result = static_cast<double>(max) + std::log(sum) -
                        static_cast<double>(logits[static_cast<std::size_t>(target)]);
  if (!std::isfinite(result))
    throw Error(ErrorKind::kNumeric, "the model gives logits that are not finite",
                "check the checkpoint:  nibble verify MODEL");
  return result;
}

PerplexityResult perplexity(const ScoredModel& model, const ScoredText& text,
                            const TokensDone& progress, KeptScores* kept) {
  std::vector<double> losses;
  const Stretch stretch = KeptScores::stretch(kept, losses);
  losses.reserve(text.scope.tokens);
  score_windows(
      {&model, 1}, text, progress,
      [&](std::span<const ConstMatrix> logits, std::span<const std::int32_t> targets) {
        const std::size_t first = losses.size();
        losses.resize(first + targets.size());
        parallel_for(targets.size(), [&](std::size_t i) {
          losses[first + i] = negative_log_probability(logits[0].row_span(i), targets[i]);
        });
      },
      stretch);
  if (kept != nullptr) kept->remove();
  const Mean mean = mean_of(losses);
  PerplexityResult result;
  result.scope = text.scope;
  result.mean_nll = mean.value;
  result.perplexity = std::exp(mean.value);
  result.standard_error = result.perplexity * mean.error;
  result.window_nll = window_means(losses, text.windows);
  return result;
}

PerplexityResult measure_perplexity(const std::filesystem::path& model,
                                    const std::filesystem::path& text,
                                    const MeasureOptions& options) {
  const ModelSource source(model, options.adapter);
  if (options.log)
    for (const std::string& note : source.notes()) options.log(note);
  const auto tokenizer = open_tokenizer(source.path());
  const ScoredText scored = make_scored_text(
      *tokenizer, read_text_to_score(text, source.path(), source.hyper().context, options),
      source.hyper().context, options);
  const ModelSource* const models[] = {&source};
  KeptScores kept(models, scored, options);
  Transformer transformer(source);
  transformer.prepare(options.compute);
  if (const std::string note = transformer.note_on(options.compute); options.log && !note.empty())
    options.log(note);
  return perplexity({&transformer, options.compute}, scored, options.progress, &kept);
}

}  // namespace nibble
