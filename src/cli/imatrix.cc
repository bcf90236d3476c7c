// nibble imatrix: the importance of each layer's inputs, for quantizers that weigh errors by it.
#include "quantize/calibration/imatrix.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/calibration_options.h"
#include "cli/command.h"
#include "cli/json_output.h"

namespace nibble::cli {
namespace {

struct Options {
  std::string model, output;
  CalibrationFlags calibration;
  bool force = false;
};

int run(const Options& options, const Global& global) {
  ImatrixOptions asked;
  asked.calibration = options_of(options.calibration, global.seed);
  asked.compute = compute_of(options.calibration);
  asked.replace = options.force;
  const auto model = global.model(options.model);
  const ImatrixResult result =
      write_imatrix(model, options.output, asked, global.progress, global.log);
  if (global.json) {
    Json object = run_json(model, asked.compute);
    object.update({{"seed", global.seed},
                   {"output", options.output},
                   {"entries", result.entries},
                   {"calibration", calibration_json(result.calibration)}});
    print_json("nibble.imatrix/1", object);
    return 0;
  }
  fmt::print("{}: {} entries from {}, {} windows of {} tokens\n", options.output, result.entries,
             result.calibration.description, result.calibration.samples, result.calibration.length);
  return 0;
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  app.add_option("MODEL", options->model, "Folder, GGUF file or org/name in the cache")->required();
  app.add_option("OUT", options->output, "NAME.gguf")->required();
  declare(app, options->calibration);
  app.add_flag("--force", options->force, "replace an existing file");
  return [options, &global] { return run(*options, global); };
}

}  // namespace

extern const Command imatrix_command{
    .name = "imatrix",
    .summary = "Measure which inputs of each layer matter, for llama-quantize",
    .examples = "  nibble imatrix MODEL imatrix.gguf --calib notes.txt\n",
    .setup = setup,
};

}  // namespace nibble::cli
