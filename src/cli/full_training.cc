#include "cli/full_training.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/compute_options.h"
#include "cli/json_output.h"
#include "cli/option_table.h"
#include "nibble/error.h"

namespace nibble::cli {
namespace {

DType dtype_of(const std::string& word) {
  if (word == "bf16") return DType::kBF16;
  if (word == "f16") return DType::kF16;
  if (word == "f32") return DType::kF32;
  throw Error(ErrorKind::kInvalidArgument, cat("--dtype ", word, " is not known"),
              "bf16, f16 or f32");
}

std::vector<std::string> plan_lines(const FullTrainingPlan& plan) {
  return {
      cat("plan: ", plan.parameters, " weights are trained; ", plan.samples, " samples, ",
          plan.validation_samples, " held out; ", plan.steps, " steps, ", plan.tokens, " tokens"),
      cat("      memory ", human_bytes(plan.memory), ", beside the program and mapped files")};
}

}  // namespace

void declare(CLI::App& app, FullFlags& flags) {
  declare(app, flags.asked);
  declare_length(app, flags.asked);
  app.add_option("--dtype", flags.dtype, "Of the weights that are written: bf16, f16 or f32")
      ->capture_default_str();
  app.add_option("--compute", flags.compute,
                 "Arithmetic: f32 or bf16; auto: bf16 where the CPU has it")
      ->capture_default_str()
      ->group(kArithmeticGroup);
  app.add_flag("--force", flags.asked.replace, "replace an existing output");
  declare_resume(app, flags.resume);
}

int train_and_tell(const std::filesystem::path& model, const std::string& output, FullFlags& flags,
                   const Global& global, const char* schema) {
  flags.asked.seed = global.seed;
  flags.asked.compute = parse_compute(flags.compute);
  flags.asked.dtype = dtype_of(flags.dtype);
  flags.asked.resume = flags.resume.asked();
  const FullTrainingResult result =
      train_fully(model, output, flags.asked, global.progress, global.log,
                  [&](const FullTrainingPlan& plan) { global.log_all(plan_lines(plan)); });
  if (global.json) {
    Json object = run_json(model, flags.asked.compute);
    object.update({{"seed", global.seed},
                   {"output", output},
                   {"parameters", result.plan.parameters},
                   {"planned_memory", result.plan.memory},
                   {"zeros", result.zeros}});
    object.update(loop_json(result));
    print_json(schema, object);
    return 0;
  }
  fmt::print("{}: {} of {} steps, {} {:.4f}", output, result.steps, result.plan.steps,
             flags.asked.teacher.empty() ? "loss" : "KL to the teacher", result.loss);
  if (result.validation_before && result.validation)
    fmt::print(", held out {:.4f} -> {:.4f}", *result.validation_before,
               flags.asked.patience > 0 ? *result.validation_best : *result.validation);
  if (result.zeros > 0) fmt::print("; {} zeros kept", result.zeros);
  fmt::print("; {:.1f} tokens/s\n", tokens_per_second(result));
  fmt::print("next: nibble quantize {} OUT\n", output);
  return 0;
}

}  // namespace nibble::cli
