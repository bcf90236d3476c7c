// nibble perplexity: how well a model predicts a text.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/json_output.h"
#include "cli/measure_options.h"

namespace nibble::cli {
namespace {

struct Options {
  std::string model;
  MeasureFlags measure;
};

int run(const Options& options, const Global& global) {
  const std::filesystem::path model = global.model(options.model);
  const MeasureOptions measure = options_of(options.measure, global, "Perplexity");
  global.progress({"Perplexity", "loading…", 0, 1});
  const PerplexityResult result = measure_perplexity(model, options.measure.file, measure);
  if (global.json) {
    Json object = run_json(model, measure.compute);
    object.update({{"perplexity", result.perplexity},
                   {"stderr", result.standard_error},
                   {"mean_nll", result.mean_nll},
                   {"window_nll", result.window_nll}});
    object.update(scope_json(result.scope, options.measure.file));
    print_json("nibble.perplexity/1", object);
    return 0;
  }
  fmt::print("perplexity {:.4f} ± {:.4f}\n{}\n", result.perplexity, result.standard_error,
             scope_text(result.scope, options.measure.file));
  return 0;
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  app.add_option("MODEL", options->model, "Folder or org/name in the cache")->required();
  declare(app, options->measure);
  return [options, &global] { return run(*options, global); };
}

}  // namespace

extern const Command perplexity_command{
    .name = "perplexity",
    .summary = "Measure how well a model predicts a text",
    .examples =
        "  nibble perplexity MODEL --file test.txt --protocol gptq-2048\n"
        "  nibble perplexity MODEL --file test.txt --protocol llamacpp-512 --windows 64\n",
    .setup = setup,
};

}  // namespace nibble::cli
