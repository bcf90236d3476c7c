// nibble compare: how far a model is from the one it was made from.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/command.h"
#include "cli/compute_options.h"
#include "cli/json_output.h"
#include "cli/measure_options.h"
#include "cli/number_check.h"
#include "cli/table.h"
#include "nibble/error.h"
#include "session/running_model.h"

namespace nibble::cli {
namespace {

struct Options {
  std::string base, other;
  MeasureFlags measure;
  std::string compute_other;  // empty: as the first
  std::string tokenizer = "own";
  std::vector<std::string> prompts;
  std::size_t tokens = 64;
};

Compute compute_of_other(const Options& options) {
  return parse_compute(options.compute_other.empty() ? options.measure.compute
                                                     : options.compute_other);
}

// One prompt, continued by both models, the most likely token at each step.
struct Sample {
  std::string prompt, base, other;
};

bool base_tokenizer(const Options& options) {
  if (options.tokenizer != "own" && options.tokenizer != "base")
    throw Error(ErrorKind::kInvalidArgument,
                cat("--tokenizer \"", options.tokenizer, "\" is not known"),
                "own: each model's, which must read the text alike; base: BASE's for both");
  return options.tokenizer == "base";
}

std::vector<Sample> write_samples(const Options& options, const std::filesystem::path& base,
                                  const std::filesystem::path& other) {
  std::vector<Sample> samples;
  if (options.prompts.empty()) return samples;
  GenerateOptions greedy;
  greedy.max_tokens = options.tokens;
  greedy.sampler.temperature = 0;
  const auto continued = [&](const std::filesystem::path& folder, Compute compute,
                             const std::string& lora) {
    RunningModel model(folder, lora);
    model.prepare(compute);
    greedy.compute = compute;
    std::vector<std::string> texts;
    for (const std::string& prompt : options.prompts)
      texts.push_back(model.write(prompt, greedy).text);
    return texts;
  };
  const auto first = continued(base, parse_compute(options.measure.compute), "");
  const auto second = continued(other, compute_of_other(options), options.measure.lora);
  for (std::size_t i = 0; i < options.prompts.size(); ++i)
    samples.push_back({options.prompts[i], first[i], second[i]});
  return samples;
}

Json object_of(const CompareResult& result, const std::vector<Sample>& samples) {
  Json object = {{"mean_kl", result.mean_kl},
                 {"mean_kl_stderr", result.mean_kl_error},
                 {"kl_median", result.median_kl},
                 {"kl_p90", result.kl_p90},
                 {"kl_p95", result.kl_p95},
                 {"kl_p99", result.kl_p99},
                 {"kl_p999", result.kl_p999},
                 {"kl_max", result.max_kl},
                 {"top1", result.top1},
                 {"top1_stderr", result.top1_error},
                 {"delta_p_mean", result.mean_delta_p},
                 {"delta_p_rms", result.rms_delta_p},
                 {"ln_ratio", result.log_ratio},
                 {"ln_ratio_stderr", result.log_ratio_error},
                 {"perplexity_base", result.perplexity_base},
                 {"perplexity_base_stderr", result.perplexity_base_error},
                 {"perplexity", result.perplexity},
                 {"perplexity_stderr", result.perplexity_error},
                 {"window_nll_base", result.window_nll_base},
                 {"window_nll", result.window_nll}};
  Json texts = Json::array();
  for (const Sample& sample : samples)
    texts.push_back({{"prompt", sample.prompt}, {"base", sample.base}, {"other", sample.other}});
  object["samples"] = std::move(texts);
  return object;
}

std::string with_error(double value, double error, int digits) {
  return fmt::format("{:.{}f} ± {:.{}f}", value, digits, error, digits);
}

void print_text(const CompareResult& result, const std::vector<Sample>& samples,
                const std::string& file) {
  Table table({"", ""});
  table.add({"mean KL", with_error(result.mean_kl, result.mean_kl_error, 6) + " nats per token"});
  table.add(
      {"KL median, 90, 95, 99, 99.9 %, max",
       fmt::format("{:.5f}  {:.5f}  {:.5f}  {:.5f}  {:.5f}  {:.5f}", result.median_kl,
                   result.kl_p90, result.kl_p95, result.kl_p99, result.kl_p999, result.max_kl)});
  table.add({"same top token", with_error(100 * result.top1, 100 * result.top1_error, 2) + " %"});
  table.add({"probability of the right token",
             fmt::format("{:+.3f} % on average, {:.3f} % RMS", 100 * result.mean_delta_p,
                         100 * result.rms_delta_p)});
  table.add(
      {"perplexity base", with_error(result.perplexity_base, result.perplexity_base_error, 4)});
  table.add({"perplexity other", with_error(result.perplexity, result.perplexity_error, 4)});
  table.add(
      {"ln(other / base)", with_error(result.log_ratio, result.log_ratio_error, 6) +
                               fmt::format(" ({:+.2f} %)", 100 * std::expm1(result.log_ratio))});
  fmt::print("{}{}\n", table.text(), scope_text(result.scope, file));
  for (const Sample& sample : samples)
    fmt::print("\nprompt: {}\nbase:   {}\nother:  {}\n", sample.prompt, sample.base, sample.other);
}

int run(const Options& options, const Global& global) {
  const std::filesystem::path base = global.model(options.base);
  const std::filesystem::path other = global.model(options.other);
  MeasureOptions measure = options_of(options.measure, global, "Comparing");
  measure.compute_other = compute_of_other(options);
  measure.base_tokenizer = base_tokenizer(options);
  global.progress({"Comparing", "loading…", 0, 1});
  const CompareResult result = compare_models(base, other, options.measure.file, measure);
  const auto samples = write_samples(options, base, other);
  if (!global.json) {
    print_text(result, samples, options.measure.file);
    return 0;
  }
  Json object = run_json(other, *measure.compute_other);
  object["model_base"] = base.string();
  object["compute_base"] = name_of(measure.compute);
  object["tokenizer"] = options.tokenizer;
  object.update(object_of(result, samples));
  object.update(scope_json(result.scope, options.measure.file));
  print_json("nibble.compare/1", object);
  return 0;
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  app.add_option("BASE", options->base, "The model to measure against")->required();
  app.add_option("OTHER", options->other, "The model made from it")->required();
  declare(app, options->measure);
  app.add_option("--compute-other", options->compute_other,
                 "Arithmetic of OTHER; default: the same. With MODEL twice: what arithmetic costs");
  app.add_option("--tokenizer", options->tokenizer,
                 "own: each model's, which must read the text alike; base: BASE's for both")
      ->capture_default_str();
  app.add_option("-p,--prompt", options->prompts, "Continue this prompt with both; may be repeated")
      ->allow_extra_args(false);
  app.add_option("-n,--n-predict,--max-tokens", options->tokens, "Tokens to write for each prompt")
      ->check(whole_number(0, 1 << 24))
      ->capture_default_str();
  return [options, &global] { return run(*options, global); };
}

}  // namespace

extern const Command compare_command{
    .name = "compare",
    .summary = "Measure how far a model is from its original",
    .examples =
        "  nibble compare MODEL OUT --file test.txt\n"
        "  nibble compare MODEL OUT --file test.txt --windows 16 -p \"Once upon a time\"\n",
    .setup = setup,
};

}  // namespace nibble::cli
