// nibble calibrate: what quantization needs to know of a text, once for any number of outputs.
#include "quantize/calibration/calibrate.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/calibration_options.h"
#include "cli/command.h"
#include "cli/compute_options.h"
#include "cli/json_output.h"
#include "nibble/error.h"

namespace nibble::cli {
namespace {

struct Options {
  std::string model, output, compute = "auto";
  std::vector<std::string> calibration;
  std::size_t samples = 128, seq_len = 0;
  bool force = false, resume = false, restart = false;
};

int run(const Options& options, const Global& global) {
  CalibrateOptions asked;
  for (const std::string& text : options.calibration)
    asked.calibration.sources.push_back(parse_source(text));
  asked.calibration.samples = options.samples;
  asked.calibration.length = options.seq_len;
  asked.calibration.seed = global.seed;
  asked.compute = parse_compute(options.compute);
  if (asked.compute == Compute::kInt8)
    throw Error(ErrorKind::kInvalidArgument, "--compute int8 would measure rounded inputs",
                "use auto, f32 or bf16");
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
  app.add_option("--calib", options->calibration,
                 "text, JSON lines or token windows; FILE:WEIGHT mixes several; default: the model "
                 "writes its own");
  app.add_option("--samples", options->samples, "windows")->capture_default_str();
  app.add_option("--seq-len", options->seq_len,
                 "tokens in a window; default: 512, or the model's context");
  app.add_option("--compute", options->compute, "arithmetic: auto, f32 or bf16")
      ->capture_default_str();
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
