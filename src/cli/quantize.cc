// nibble quantize: a model folder in, a quantized checkpoint with its passport out.
#include "quantize/quantize.h"

#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/json_output.h"
#include "cli/quantize_options.h"

namespace nibble::cli {
namespace {

struct Options {
  std::string model, output;
  QuantizeFlags flags;
  bool dry_run = false;
};

void tell_plan(const Plan& plan, const Global& global) {
  if (!global.log) return;
  global.log(cat("plan: ", plan.modules, " modules in ", plan.layers, " layers, ",
                 human_bytes(plan.input_bytes), " -> ", human_bytes(plan.output_bytes), " (",
                 fmt::format("{:.2f}", plan.bits_per_weight), " bits per quantized weight)"));
  global.log(cat("      memory ", human_bytes(plan.peak_memory), " of ",
                 human_bytes(plan.memory_limit), plan.spill ? ", activations on disk" : "",
                 "; about ", human_seconds(plan.seconds), " on ", threads(), " threads"));
}

Json plan_json(const Plan& plan) {
  return {{"layers", plan.layers},
          {"modules", plan.modules},
          {"input_bytes", plan.input_bytes},
          {"output_bytes", plan.output_bytes},
          {"bits_per_weight", plan.bits_per_weight},
          {"peak_memory", plan.peak_memory},
          {"memory_limit", plan.memory_limit},
          {"spill", plan.spill},
          {"seconds", plan.seconds}};
}

Json module_json(const ModuleReport& module) {
  Json json = module_recipe_json(module.module);
  json["name"] = module.module.name;
  json["weight_error"] = module.weight_error;
  json["output_error"] = module.output_error ? Json(*module.output_error) : Json(nullptr);
  json["damping_added"] = module.damping ? Json(*module.damping) : Json(nullptr);
  json["dead_columns"] = module.dead_columns;
  json["fallback"] = module.fallback;
  json["notes"] = module.notes;
  return json;
}

int run(const Options& options, const Global& global) {
  const auto start = std::chrono::steady_clock::now();
  QuantizeSinks sinks;
  sinks.progress = global.progress;
  sinks.log = global.log;
  sinks.planned = [&](const Plan& plan, const Recipe&) { tell_plan(plan, global); };
  sinks.module_done = [&](const ModuleReport& module, std::size_t done, std::size_t total) {
    if (global.detail)
      global.detail(fmt::format(
          "[{:4}/{}] {:<42} {}  weight error {:.2e}{}", done, total, module.module.name,
          module.module.shape.grid->name, module.weight_error,
          module.output_error ? fmt::format("  output error {:.2e}", *module.output_error)
                              : std::string()));
    for (const std::string& note : module.notes)
      if (global.log) global.log(cat(module.module.name, ": ", note));
  };
  const auto model = global.model(options.model);
  const QuantizeResult result = quantize_model(
      model, options.output, options_of(options.flags, global.seed), sinks, options.dry_run);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (global.json) {
    Json object = {
        {"output", options.output}, {"dry_run", options.dry_run}, {"plan", plan_json(result.plan)}};
    Json modules = Json::array();
    for (const ModuleReport& module : result.modules) modules.push_back(module_json(module));
    object["modules"] = std::move(modules);
    object["calibration"] = {{"source", result.calibration.description},
                             {"samples", result.calibration.samples},
                             {"seq_len", result.calibration.length},
                             {"tokens_sha256", result.calibration.hash}};
    object["seconds"] = seconds;
    object["cpu_seconds"] = cpu_seconds();
    object["peak_resident_bytes"] = memory_use().peak_resident;
    print_json("nibble.quantize/1", object);
    return 0;
  }
  if (options.dry_run) {
    fmt::print("nothing was written (--dry-run)\n");
    return 0;
  }
  fmt::print("{}: {} -> {}, {:.2f} bits per quantized weight, {:.1f} s ({:.1f} CPU s)\n",
             options.output, human_bytes(result.plan.input_bytes),
             human_bytes(result.plan.output_bytes), result.plan.bits_per_weight, seconds,
             cpu_seconds());
  if (global.log)
    global.log(
        cat("next: nibble compare ", options.model, " ", options.output, " --file test.txt"));
  return 0;
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  app.add_option("MODEL", options->model, "Folder or org/name in the cache")->required();
  app.add_option("OUT", options->output, "Folder to create")->required();
  declare(app, options->flags);
  app.add_flag("--dry-run", options->dry_run, "print the plan, write nothing");
  return [options, &global] { return run(*options, global); };
}

}  // namespace

extern const Command quantize_command{
    .name = "quantize",
    .summary = "Make a model small: GPTQ or plain rounding, 2, 3, 4 or 8 bits",
    .examples =
        "  nibble quantize MODEL OUT\n"
        "  nibble quantize MODEL OUT --method gptq --bits 4 --group-size 128 --calib notes.txt\n"
        "  nibble quantize MODEL OUT --bits 3 --override 'down_proj=4:128' --skip "
        "'layers\\.0\\.'\n",
    .setup = setup,
};

}  // namespace nibble::cli
