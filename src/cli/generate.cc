// nibble generate: continues a prompt.
#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/command.h"
#include "cli/generation_settings.h"
#include "cli/json_output.h"
#include "cli/quantize_options.h"
#include "cli/running_model.h"
#include "cli/text_input.h"
#include "nibble/error.h"

namespace nibble::cli {
namespace {

struct Options {
  std::string model, prompt, file;
  std::int64_t tokens = 128;
  GenerationSettings settings;  // of the command line; which were given, the app knows
  std::string compute = "auto", kv = "auto";
  bool exact = false;
};

std::string prompt_of(const Options& options, const CLI::App& app) {
  const bool typed = app.get_option("--prompt")->count() > 0;
  if (typed && !options.file.empty())
    throw Error(ErrorKind::kInvalidArgument, "--prompt and --file exclude each other");
  if (typed) return options.prompt;
  if (!options.file.empty()) return read_text(options.file);
  if (isatty(STDIN_FILENO) != 0)
    throw Error(ErrorKind::kInvalidArgument, "there is no prompt",
                "give one with -p TEXT, -f FILE or on stdin");
  return read_text("-");
}

// What the command line says, else generation_config.json, else our defaults.
GenerationSettings settings_of(const Options& options, const CLI::App& app,
                               const std::filesystem::path& folder) {
  GenerationSettings settings = generation_settings(folder);
  const auto given = [&](const char* name) { return app.get_option(name)->count() > 0; };
  if (given("--temp")) settings.temperature = options.settings.temperature;
  if (given("--top-k")) settings.top_k = options.settings.top_k;
  if (given("--top-p")) settings.top_p = options.settings.top_p;
  if (given("--min-p")) settings.min_p = options.settings.min_p;
  if (given("--repeat-penalty")) settings.repeat_penalty = options.settings.repeat_penalty;
  return settings;
}

SamplerOptions sampler_of(const GenerationSettings& settings, std::uint64_t seed) {
  SamplerOptions sampler;
  sampler.temperature = static_cast<float>(settings.temperature);
  sampler.top_k = static_cast<std::size_t>(settings.top_k);
  sampler.top_p = static_cast<float>(settings.top_p);
  sampler.min_p = static_cast<float>(settings.min_p);
  sampler.repeat_penalty = static_cast<float>(settings.repeat_penalty);
  sampler.seed = seed;
  return sampler;
}

void print_object(const Written& written, const GenerationSettings& settings, Compute compute) {
  const Generated& generated = written.generated;
  print_json("nibble.generate/1", {{"text", written.text},
                                   {"ids", generated.ids},
                                   {"stopped", generated.stopped},
                                   {"prompt_tokens", written.prompt_tokens},
                                   {"tokens", generated.ids.size()},
                                   {"prompt_seconds", generated.prompt_seconds},
                                   {"generate_seconds", generated.generate_seconds},
                                   {"prompt_tokens_per_second", written.prompt_rate()},
                                   {"tokens_per_second", written.rate()},
                                   {"compute", name_of(compute)},
                                   {"settings", json_of(settings)}});
}

int run(const Options& options, const CLI::App& app, const Global& global) {
  const Compute compute = options.exact               ? float_compute()
                          : options.compute == "auto" ? Compute::kInt8
                                                      : parse_compute(options.compute);
  const std::filesystem::path folder = global.model(options.model);
  const std::string prompt = prompt_of(options, app);
  RunningModel model(folder);
  model.prepare(compute);
  const GenerationSettings settings = settings_of(options, app, model.source().folder());
  GenerateOptions generate_options;
  generate_options.max_tokens = options.tokens < 0 ? model.source().hyper().context
                                                   : static_cast<std::size_t>(options.tokens);
  generate_options.sampler = sampler_of(settings, global.seed);
  generate_options.compute = compute;
  generate_options.kv = parse_kv(options.kv, compute);
  const Written written = model.write(prompt, generate_options, [&](std::string_view piece) {
    if (global.json) return;
    fmt::print("{}", piece);
    std::fflush(stdout);
  });
  if (global.json)
    print_object(written, settings, compute);
  else
    fmt::print("\n");
  global.log(fmt::format("{} prompt tokens, {:.1f} tokens/s; {} generated, {:.1f} tokens/s",
                         written.prompt_tokens, written.prompt_rate(), written.generated.ids.size(),
                         written.rate()));
  return 0;
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  GenerationSettings& settings = options->settings;
  app.add_option("MODEL", options->model, "Folder or org/name in the cache")->required();
  app.add_option("-p,--prompt", options->prompt, "Text to continue");
  app.add_option("-f,--file", options->file, "File to continue; - is stdin");
  app.add_option("-n,--n-predict,--max-tokens", options->tokens,
                 "Most tokens to write; -1: until the context is full")
      ->check(CLI::Range(std::int64_t{-1}, std::int64_t{1} << 24))
      ->capture_default_str();
  app.add_option("--temp,--temperature", settings.temperature,
                 "Temperature; 0: always the most likely token")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  app.add_option("--top-k", settings.top_k, "Only the k most likely tokens; 0: all")
      ->check(CLI::Range(0, 1 << 24))
      ->capture_default_str();
  app.add_option("--top-p", settings.top_p, "Only the likeliest tokens with this share together")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--min-p", settings.min_p, "Only tokens with this share of the likeliest one's")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--repeat-penalty,--repetition-penalty", settings.repeat_penalty,
                 "Against tokens among the last 64; 1: none")
      ->check(CLI::Range(0.01, 100.0))
      ->capture_default_str();
  auto* compute =
      app.add_option("--kv", options->kv,
                     "Type of the cache of keys and values: auto (f16, with --exact f32), f32, "
                     "f16, bf16 or q8_0")
          ->capture_default_str();
  app.add_option("--compute", options->compute,
                 "Arithmetic: int8, f32 or bf16; auto: int8 where weights are packed")
      ->capture_default_str();
  app.add_flag("--exact", options->exact, "Do not round the inputs of packed layers to bytes")
      ->excludes(compute);
  return [options, &app, &global] { return run(*options, app, global); };
}

}  // namespace

extern const Command generate_command{
    .name = "generate",
    .summary = "Continue a prompt",
    .examples =
        "  nibble generate MODEL -p \"Once upon a time\" -n 64\n"
        "  nibble generate MODEL -f prompt.txt --temp 0\n",
    .setup = setup,
};

}  // namespace nibble::cli
