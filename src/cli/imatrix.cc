// nibble imatrix: the importance of each layer's inputs, for quantizers that weigh errors by it.
#include "quantize/calibration/imatrix.h"

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
  bool force = false;
};

int run(const Options& options, const Global& global) {
  ImatrixOptions asked;
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
  app.add_option("--calib", options->calibration,
                 "text, JSON lines or token windows; FILE:WEIGHT mixes several; default: the model "
                 "writes its own");
  app.add_option("--samples", options->samples, "windows")->capture_default_str();
  app.add_option("--seq-len", options->seq_len,
                 "tokens in a window; default: 512, or the model's context");
  app.add_option("--compute", options->compute, "arithmetic: auto, f32 or bf16")
      ->capture_default_str();
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
