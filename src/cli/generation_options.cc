#include "cli/generation_options.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/compute_options.h"
#include "cli/number_check.h"
#include "cli/option_table.h"

namespace nibble::cli {
namespace {

constexpr std::int64_t kMostTokens = 1 << 24;

}  // namespace

void declare(CLI::App& app, GenerationFlags& flags) {
  GenerationSettings& settings = flags.settings;
  const std::string group = "Sampling";
  app.add_option("-n,--n-predict,--max-tokens", flags.tokens,
                 "Most tokens to write; -1: until the context is full")
      ->check(whole_number(-1, kMostTokens))
      ->capture_default_str();
  app.add_option("--stop", flags.stop, "End the text before this string; may be given repeatedly")
      ->allow_extra_args(false);
  const auto number = [&](const char* name, double& value, double low, double high,
                          const char* help) {
    app.add_option(name, value, help)
        ->check(number_from(low, high))
        ->capture_default_str()
        ->group(group);
  };
  number("--temp,--temperature", settings.temperature, 0, 100,
         "Temperature; 0: always the most likely token");
  app.add_option("--top-k", settings.top_k, "Only the k most likely tokens; 0: all")
      ->check(whole_number(0, 1 << 24))
      ->capture_default_str()
      ->group(group);
  number("--top-p", settings.top_p, 0, 1, "Only the likeliest tokens with this share together");
  number("--min-p", settings.min_p, 0, 1, "Only tokens with this share of the likeliest one's");
  number("--repeat-penalty,--repetition-penalty", settings.repeat_penalty, 0.01, 100,
         "Divides the logits of recent tokens; 1: none");
  number("--presence-penalty", settings.presence_penalty, -100, 100,
         "Taken off the logits of recent tokens; 0: none");
  number("--frequency-penalty", settings.frequency_penalty, -100, 100,
         "Taken off for each time a recent token occurs; 0: none");
  app.add_option("--repeat-last,--repeat-last-n", settings.repeat_last,
                 "How many tokens count as recent; -1: all, 0: none")
      ->check(whole_number(-1, kMostTokens))
      ->capture_default_str()
      ->group(group);
  app.add_option("--kv", flags.kv,
                 "Type of the cache of keys and values: auto (f16, with --exact f32), f32, f16, "
                 "bf16 or q8_0")
      ->capture_default_str()
      ->group(kArithmeticGroup);
  app.add_option("--lora", flags.lora, "Folder of a LoRA adapter (PEFT) that the model gets")
      ->type_name("FOLDER");
  auto* compute =
      app.add_option("--compute", flags.compute,
                     "Arithmetic: int8, llm.int8, f32 or bf16; auto: int8 where weights are packed")
          ->capture_default_str()
          ->group(kArithmeticGroup);
  app.add_flag("--exact", flags.exact, "Do not round the inputs of packed layers to bytes")
      ->excludes(compute)
      ->group(kArithmeticGroup);
}

GenerationSettings settings_of(const GenerationFlags& flags, const CLI::App& app,
                               GenerationSettings settings) {
  const GenerationSettings& typed = flags.settings;
  const auto take = [&](const char* name, auto member) {
    if (app.get_option(name)->count() > 0) settings.*member = typed.*member;
  };
  take("--temp", &GenerationSettings::temperature);
  take("--top-k", &GenerationSettings::top_k);
  take("--top-p", &GenerationSettings::top_p);
  take("--min-p", &GenerationSettings::min_p);
  take("--repeat-penalty", &GenerationSettings::repeat_penalty);
  take("--presence-penalty", &GenerationSettings::presence_penalty);
  take("--frequency-penalty", &GenerationSettings::frequency_penalty);
  take("--repeat-last", &GenerationSettings::repeat_last);
  return settings;
}

Compute compute_of(const GenerationFlags& flags) {
  if (flags.exact) return float_compute();
  return flags.compute == "auto" ? Compute::kInt8 : parse_compute(flags.compute);
}

GenerateOptions options_of(const GenerationFlags& flags, const GenerationSettings& settings,
                           std::size_t context, std::uint64_t seed) {
  GenerateOptions options;
  options.max_tokens = flags.tokens < 0 ? context : static_cast<std::size_t>(flags.tokens);
  options.compute = compute_of(flags);
  options.kv = parse_kv(flags.kv, options.compute);
  options.sampler = sampler_options(settings, context, seed);
  return options;
}

std::string seed_text(const GenerationSettings& settings, const Global& global) {
  return settings.temperature > 0 ? fmt::format("; seed {}", global.seed) : "";
}

Json json_of(const Written& written, const GenerationSettings& settings,
             const GenerateOptions& options) {
  const Generated& generated = written.generated;
  return {{"ids", generated.ids},
          {"stopped", generated.stopped},
          {"prompt_tokens", written.prompt_tokens},
          {"tokens", generated.ids.size()},
          {"prompt_seconds", generated.prompt_seconds},
          {"generate_seconds", generated.generate_seconds},
          {"prompt_tokens_per_second", written.prompt_rate()},
          {"tokens_per_second", written.rate()},
          {"kv", nibble::name_of(options.kv_type())},
          {"seed", options.sampler.seed},
          {"settings", json_of(settings)}};
}

}  // namespace nibble::cli
