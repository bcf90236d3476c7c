// nibble qat: codes that are trained through the whole model before they are written.
#include "train/qat/qat.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/command.h"
#include "cli/json_output.h"
#include "cli/number_check.h"
#include "cli/quantize_options.h"
#include "cli/training_options.h"
#include "nibble/error.h"

namespace nibble::cli {
namespace {

struct Options {
  std::string model, output, teacher;
  QuantizeFlags flags;
  QatOptions asked;
  bool scales_only = false, weights_only = false, dry_run = false;
};

std::vector<std::string> plan_lines(const QatPlan& plan) {
  return {cat("training: ", plan.samples, " samples, ", plan.validation_samples, " held out; ",
              plan.steps, " steps, ", plan.tokens, " tokens"),
          cat("          ", plan.trained_values, " numbers in ", plan.modules, " modules; memory ",
              human_bytes(plan.memory), ", beside the program and mapped files")};
}

std::optional<double> reached(const QatResult& result, const QatOptions& asked) {
  return asked.patience > 0 ? result.validation_best : result.validation;
}

void print_result(const QatResult& result, const Options& options) {
  fmt::print("{}: {} of {} steps, {} {:.4f}", result.quantized.output.string(), result.steps,
             result.plan.steps, options.asked.plain ? "loss" : "KL to the teacher", result.loss);
  if (result.validation_before && result.validation)
    fmt::print(", held out {:.4f} -> {:.4f}", *result.validation_before,
               *reached(result, options.asked));
  fmt::print("; {:.2f} bits per quantized weight, {:.1f} tokens/s\n",
             result.quantized.plan.bits_per_weight, tokens_per_second(result));
  fmt::print("next: nibble compare {} {} --file test.txt\n", options.model,
             result.quantized.output.string());
}

Json json_of(const QatResult& result, const Options& options) {
  Json modules = Json::array();
  for (const ModuleReport& module : result.quantized.modules)
    modules.push_back({{"name", module.module.name}, {"weight_error", module.weight_error}});
  Json object = {{"output", result.quantized.output.string()},
                 {"dry_run", options.dry_run},
                 {"trained_values", result.plan.trained_values},
                 {"planned_memory", result.plan.memory},
                 {"bits_per_weight", result.quantized.plan.bits_per_weight},
                 {"modules", std::move(modules)}};
  object.update(loop_json(result));
  return object;
}

// What was typed, as the job takes it.
void complete(Options& options, const Global& global) {
  QatOptions& asked = options.asked;
  asked.quantize = options_of(options.flags, global.seed);
  asked.seed = global.seed;
  asked.length = options.flags.seq_len;
  asked.compute = asked.quantize.compute;
  asked.resume = asked.quantize.resume;
  if (options.scales_only && options.weights_only)
    throw Error(ErrorKind::kInvalidArgument, "--scales-only and --weights-only leave nothing",
                "leave one of them out; both are trained without them");
  asked.weights = !options.scales_only;
  asked.scales = !options.weights_only;
  asked.plain = options.teacher == "none";
  if (!asked.plain && !options.teacher.empty()) asked.teacher = global.model(options.teacher);
}

int run(Options& options, const Global& global) {
  complete(options, global);
  QuantizeSinks sinks;
  sinks.progress = global.progress;
  sinks.log = global.log;
  const auto model = global.model(options.model);
  const QatResult result = qat(model, options.output, options.asked, sinks, options.dry_run,
                               [&](const QatPlan& plan) { global.log_all(plan_lines(plan)); });
  if (global.json) {
    Json object = run_json(model, options.asked.compute);
    object["seed"] = global.seed;
    object.update(json_of(result, options));
    print_json("nibble.qat/1", object);
    return 0;
  }
  if (options.dry_run) {
    fmt::print("{} modules, {:.2f} bits per quantized weight; memory {}\n", result.plan.modules,
               result.quantized.plan.bits_per_weight, human_bytes(result.plan.memory));
    global.log("nothing was written (--dry-run)");
    return 0;
  }
  print_result(result, options);
  return 0;
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  QatOptions& asked = options->asked;
  app.add_option("MODEL", options->model, "Folder, GGUF file, or org/name in the cache")
      ->required();
  app.add_option("OUT", options->output, "Folder to create, or NAME.gguf")->required();
  app.add_option("-d,--data", asked.data,
                 "Rows or prose to learn from, and to calibrate on; default: the calibration")
      ->type_name("FILE");
  app.add_option("--teacher", options->teacher,
                 "Whose predictions are learnt; default: MODEL before it is small; none: the "
                 "data's own next tokens")
      ->type_name("MODEL");
  app.add_option("--temperature", asked.temperature, "Of the predictions that are compared")
      ->check(number_from(0.1, 100))
      ->capture_default_str()
      ->group(kTrainingGroup);
  app.add_flag("--scales-only", options->scales_only, "Train scales; the codes stay")
      ->group(kTrainingGroup);
  app.add_flag("--weights-only", options->weights_only, "Train weights; the scales stay")
      ->group(kTrainingGroup);
  app.add_option("--weight-lr", asked.weight_rate,
                 "The highest learning rate of weights, in steps of their grid; --lr is that of "
                 "scales, as factors, and 0 goes by the bits")
      ->check(number_from(0, 1000))
      ->capture_default_str()
      ->group(kTrainingGroup);
  asked.learning_rate = 0;
  declare(app, asked);
  declare(app, options->flags);
  app.add_flag("--dry-run", options->dry_run, "print the plan, check the inputs, write nothing");
  return [options, &global] { return run(*options, global); };
}

}  // namespace

extern const Command qat_command{
    .name = "qat",
    .summary = "Quantize, then train the codes (QAT), from a teacher",
    .examples =
        "  nibble qat MODEL OUT --bits 3 \\\n"
        "    --group-size 64 --data text.txt\n"
        "  nibble qat MODEL OUT --bits 2 \\\n"
        "    --data text.txt --scales-only\n"
        "  nibble qat MODEL m.gguf --type Q4_0\n",
    .setup = setup,
};

}  // namespace nibble::cli
