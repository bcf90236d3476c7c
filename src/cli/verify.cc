// nibble verify: is this checkpoint what was written, and who will load it?
#include "quantize/verify.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/command.h"
#include "cli/json_output.h"

namespace nibble::cli {
namespace {

constexpr int kBadFile = 3;

struct Options {
  std::string model, base;
};

std::string summary(const VerifyResult& result) {
  const char* word = result.passed() ? "ok" : "failed";
  if (result.entries_checked > 0)
    return fmt::format("{}: {} files match their sums, {} matrices' inputs", word,
                       result.files_checked, result.entries_checked);
  if (!result.passed() && result.files_checked == 0 && result.modules_checked == 0)
    return "failed: nothing of it could be checked further";
  if (result.passed() && result.files_checked == 0 && result.modules_checked == 0)
    return "nothing to check: no sums, no quantized module; the model opens, and all its values "
           "are finite";
  return fmt::format(
      "{}: {} files match their sums, {} quantized modules follow their layout's rules", word,
      result.files_checked, result.modules_checked);
}

int run(const Options& options, const Global& global) {
  std::optional<std::filesystem::path> base;
  if (!options.base.empty()) base = global.model(options.base);
  const std::filesystem::path model = global.model(options.model);
  const VerifyResult result = verify_checkpoint(model, base);
  if (global.json) {
    Json findings = Json::array();
    for (const Finding& finding : result.findings)
      findings.push_back({{"level", finding.error ? "error" : "warning"},
                          {"rule", finding.rule},
                          {"text", finding.text}});
    print_json("nibble.verify/1", {{"model", model.string()},
                                   {"base", base ? Json(base->string()) : Json(nullptr)},
                                   {"passed", result.passed()},
                                   {"files_checked", result.files_checked},
                                   {"modules_checked", result.modules_checked},
                                   {"entries_checked", result.entries_checked},
                                   {"findings", findings}});
  } else {
    for (const Finding& finding : result.findings)
      fmt::print("{}: {} [{}]\n", finding.error ? "error" : "warning", finding.text, finding.rule);
    fmt::print("{}\n", summary(result));
  }
  return result.passed() ? 0 : kBadFile;
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  app.add_option("MODEL", options->model, "Folder, GGUF file, statistics or imatrix to check")
      ->required();
  app.add_option("--base", options->base,
                 "The original model: its files must be the ones the passport names");
  return [options, &global] { return run(*options, global); };
}

}  // namespace

extern const Command verify_command{
    .name = "verify",
    .summary = "Check a checkpoint against its checksums, its passport and its format's rules",
    .examples =
        "  nibble verify OUT\n"
        "  nibble verify OUT --base MODEL\n",
    .setup = setup,
};

}  // namespace nibble::cli
