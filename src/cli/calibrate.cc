// nibble calibrate: what quantization needs to know of a text, once for any number of outputs.
#include "quantize/calibration/calibrate.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/calibration_options.h"
#include "cli/command.h"
#include "cli/json_output.h"

namespace nibble::cli {
namespace {

struct Options {
  std::string model, output;
  CalibrationFlags calibration;
  bool force = false, resume = false, restart = false;
};

int run(const Options& options, const Global& global) {
  CalibrateOptions asked;
  asked.calibration = options_of(options.calibration, global.seed);
  asked.compute = compute_of(options.calibration);
  asked.replace = options.force;
  if (options.resume) asked.resume = Resume::kRequired;
  if (options.restart) asked.resume = Resume::kNever;
  const auto model = global.model(options.model);
  const CalibrateResult result =
      calibrate_model(model, options.output, asked, global.progress, global.log);
  if (global.json) {
    Json object = run_json(model, asked.compute);
    object.update({{"seed", global.seed},
                   {"output", options.output},
                   {"bytes", result.bytes},
                   {"entries", result.entries},
                   {"resumed_layers", result.resumed_layers},
                   {"calibration", calibration_json(result.calibration)}});
    print_json("nibble.calibrate/1", object);
    return 0;
  }
  fmt::print("{}: {} of {} matrices' inputs, from {}, {} windows of {} tokens\n", options.output,
             human_bytes(result.bytes), result.entries, result.calibration.description,
             result.calibration.samples, result.calibration.length);
  fmt::print("next: nibble quantize {} OUT --stats {}\n", options.model, options.output);
  return 0;
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  app.add_option("MODEL", options->model, "Folder, GGUF file or org/name in the cache")->required();
  app.add_option("OUT", options->output, "NAME.gguf")->required();
  declare(app, options->calibration);
  app.add_flag("--force", options->force, "replace an existing file");
  const auto resume =
      app.add_flag("--resume", options->resume, "go on from OUT.journal, and refuse to begin anew");
  app.add_flag("--restart", options->restart, "begin anew, whatever OUT.journal holds")
      ->excludes(resume);
  return [options, &global] { return run(*options, global); };
}

}  // namespace

extern const Command calibrate_command{
    .name = "calibrate",
    .summary = "Measure the inputs of all layers once, for any number of outputs",
    .examples =
        "  nibble calibrate MODEL s.gguf --calib t.txt\n"
        "  nibble quantize MODEL OUT --stats s.gguf\n",
    .setup = setup,
};

}  // namespace nibble::cli
