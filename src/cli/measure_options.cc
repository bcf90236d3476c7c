#include "cli/measure_options.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/compute_options.h"
#include "cli/number_check.h"
#include "nibble/error.h"

namespace nibble::cli {
namespace {

// CLI11 reads "-3" as a huge unsigned number; the range is checked on the text.
constexpr std::int64_t kMaxCount = std::int64_t{1} << 40;

}  // namespace

void declare(CLI::App& app, MeasureFlags& flags) {
  app.add_option("-f,--file", flags.file, "Text to score, or JSON rows; - is stdin")->required();
  app.add_option(
      "--protocol", flags.protocol,
      "gptq-N, llamacpp-N or hf-stride-S; default: gptq-N with N the model's context, at "
      "most 2048");
  app.add_option("--windows", flags.windows, "Only the first windows; 0: all")
      ->check(whole_number(0, kMaxCount));
  app.add_option("-c,--ctx-size", flags.context, "Window of hf-stride-S; 0: the model's context")
      ->check(whole_number(0, kMaxCount));
  app.add_option("--compute", flags.compute, "Arithmetic: f32, bf16, int8, llm.int8 or auto")
      ->capture_default_str();
  app.add_option("--lora", flags.lora,
                 "Folder of a LoRA adapter (PEFT) that the model, of two the second, gets")
      ->type_name("FOLDER");
  const auto resume = app.add_flag(
      "--resume", flags.resume,
      "Refuse to begin anew (a long measurement that was stopped goes on by itself when it is "
      "given again)");
  app.add_flag("--restart", flags.restart, "Begin anew, whatever was kept")->excludes(resume);
}

MeasureOptions options_of(const MeasureFlags& flags, const Global& global, std::string_view job) {
  MeasureOptions options;
  options.protocol = flags.protocol;
  options.windows = flags.windows;
  options.context = flags.context;
  options.compute = parse_compute(flags.compute);
  options.adapter = flags.lora;
  options.journals = global.state_folder.empty() ? "" : global.state_folder / "measuring";
  if (flags.resume && options.journals.empty())
    throw Error(ErrorKind::kInvalidArgument, "--resume: there is no folder to go on from",
                "set HOME or XDG_STATE_HOME, where measurements are kept");
  if (flags.resume) options.resume = Resume::kRequired;
  if (flags.restart) options.resume = Resume::kNever;
  options.progress = [&global, job](double done, double total) {
    global.progress({job, "", done, total});
  };
  options.log = global.log;
  return options;
}

std::string scope_text(const Scope& scope, const std::string& file) {
  return fmt::format("{}: {} tokens in {} windows of {}; {} (sha256 {}…)", scope.protocol,
                     scope.tokens, scope.windows, scope.context, file,
                     scope.text_sha256.substr(0, 12));
}

Json scope_json(const Scope& scope, const std::string& file) {
  return {{"protocol", scope.protocol},
          {"context", scope.context},
          {"windows", scope.windows},
          {"tokens", scope.tokens},
          {"text", file},
          {"text_tokens", scope.text_tokens},
          {"text_sha256", scope.text_sha256}};
}

}  // namespace nibble::cli
