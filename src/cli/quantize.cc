// nibble quantize: a model folder or GGUF file in, a quantized checkpoint with its passport out.
#include "quantize/quantize.h"

#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/text.h"
#include "cli/calibration_options.h"
#include "cli/command.h"
#include "cli/json_output.h"
#include "cli/losses.h"
#include "cli/quantize_options.h"
#include "nibble/error.h"
#include "quantize/types/type_lines.h"

namespace nibble::cli {
namespace {

struct Options {
  std::string model, output;
  QuantizeFlags flags;
  bool dry_run = false;
};

// Which readers will refuse what is planned: told now, not after the work.
std::vector<Finding> refusals_of(const Recipe& recipe) {
  std::vector<ShapedModule> modules;
  for (const PlannedModule& module : recipe.modules)
    modules.push_back({module.name, module.shape.rows, module.shape.columns, module.settings()});
  const auto consumers = recipe.layout->consumers;
  return consumers == nullptr ? std::vector<Finding>() : consumers(modules, recipe.layout_settings);
}

std::vector<std::string> plan_lines(const Plan& plan, const Recipe& recipe,
                                    const std::vector<Finding>& refusals) {
  std::vector<std::string> lines = {
      cat("plan: ", plan.modules, " modules in ", plan.layers, " layers, ",
          human_bytes(plan.input_bytes), " -> ", human_bytes(plan.output_bytes), " (",
          fmt::format("{:.2f}", plan.bits_per_weight), " bits per quantized weight)"),
      cat("      memory ", human_bytes(plan.peak_memory), " of ", human_bytes(plan.memory_limit),
          ", beside the program and mapped files", plan.spill ? "; activations on disk" : ""),
      cat("      about ", human_seconds(plan.seconds), " on ", threads(), " threads")};
  if (!recipe.tensors.empty() || !recipe.layout_settings.dialects.empty())
    for (const std::string& line : type_lines(recipe)) lines.push_back("      " + line);
  for (const Finding& finding : refusals)
    lines.push_back(cat("warning: ", finding.text, " [", finding.rule, "]"));
  return lines;
}

Json findings_json(const std::vector<Finding>& findings) {
  Json list = Json::array();
  for (const Finding& finding : findings)
    list.push_back({{"rule", finding.rule}, {"text", finding.text}});
  return list;
}

// Of the types of a file of blocks; none in a folder.
Json types_json(const Recipe& recipe) {
  Json list = Json::array();
  for (const PlannedModule& module : recipe.modules)
    if (module.storable.blocks != nullptr)
      list.push_back({{"name", module.name}, {"type", module.storable.blocks->name}});
  for (const PlannedTensor& tensor : recipe.tensors)
    list.push_back({{"name", tensor.module}, {"type", name(tensor.type)}});
  return list;
}

Json plan_json(const Plan& plan, const Json& types) {
  return {{"layers", plan.layers},
          {"modules", plan.modules},
          {"input_bytes", plan.input_bytes},
          {"output_bytes", plan.output_bytes},
          {"bits_per_weight", plan.bits_per_weight},
          {"peak_memory", plan.peak_memory},
          {"memory_limit", plan.memory_limit},
          {"spill", plan.spill},
          {"seconds", plan.seconds},
          {"tensors", types}};
}

Json module_json(const ModuleReport& module) {
  const bool measured = module.output_error.has_value();
  Json json = module_recipe_json(module.module);
  json["name"] = module.module.name;
  if (!json.contains("type")) json["type"] = nullptr;
  json["weight_error"] = module.weight_error;
  json["output_error"] = measured ? Json(*module.output_error) : Json(nullptr);
  json["damping_added"] = module.damping ? Json(*module.damping) : Json(nullptr);
  json["dead_columns"] = measured ? Json(module.dead_columns) : Json(nullptr);
  json["fallback"] = module.fallback;
  json["notes"] = module.notes;
  return json;
}

Json losses_of(const QuantizeResult& result) {
  std::vector<ModuleLoss> modules;
  for (const ModuleReport& module : result.modules) {
    modules.push_back({.name = module.module.name,
                       .output_error = module.output_error,
                       .fallback = module.fallback});
  }
  Json tensors = Json::array();
  for (const TensorReport& report : result.tensors) tensors.push_back(tensor_report_json(report));
  return losses_json(std::move(modules), tensors);
}

void print_result(const Options& options, const QuantizeResult& result, double seconds) {
  fmt::print("{}: {} -> {}, {:.2f} bits per quantized weight, {:.1f} s ({:.1f} CPU s)\n",
             result.output.string(), human_bytes(result.plan.input_bytes),
             human_bytes(result.plan.output_bytes), result.plan.bits_per_weight, seconds,
             cpu_seconds());
  std::string head = "output error: ";
  for (const std::string& line : loss_lines(losses_of(result)))
    fmt::print("{}{}\n", std::exchange(head, "  "), line);
  const bool in_file = !layouts::named(result.layout).suffix.empty();
  fmt::print("all of it: {}\n",
             in_file ? cat("nibble show --passport ", result.output.string())
                     : (std::filesystem::path(options.output) / kPassportName).string());
}

int quantize(const Options& options, const Global& global) {
  const auto start = std::chrono::steady_clock::now();
  QuantizeSinks sinks;
  sinks.progress = global.progress;
  sinks.log = global.log;
  const QuantizeOptions asked = options_of(options.flags, global.seed);
  std::vector<Finding> refusals;
  Json types;
  sinks.planned = [&](const Plan& plan, const Recipe& recipe) {
    refusals = plan.warnings;
    const auto readers = refusals_of(recipe);
    refusals.insert(refusals.end(), readers.begin(), readers.end());
    types = types_json(recipe);
    for (const std::string& line : plan_lines(plan, recipe, refusals)) {
      if (options.dry_run && !global.json)  // what was asked for
        fmt::print("{}\n", line);
      else
        global.log(line);
    }
    if (!options.dry_run) global.progress({"Quantizing", "calibration", 0, 1});
  };
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
  const QuantizeResult result =
      quantize_model(model, options.output, asked, sinks, options.dry_run);
  const bool calibrated = result.calibration.samples > 0;
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (global.json) {
    Json object = run_json(model, asked.compute);
    object.update({{"seed", global.seed},
                   {"output", result.output.empty() ? options.output : result.output.string()},
                   {"dry_run", options.dry_run},
                   {"plan", plan_json(result.plan, types)},
                   {"warnings", findings_json(refusals)}});
    Json modules = Json::array();
    for (const ModuleReport& module : result.modules) modules.push_back(module_json(module));
    object["modules"] = std::move(modules);
    Json tensors = Json::array();
    for (const TensorReport& report : result.tensors) tensors.push_back(tensor_report_json(report));
    object["tensors"] = std::move(tensors);
    object["losses"] = losses_of(result);
    object["calibration"] = calibration_json(result.calibration);
    object["resumed_layers"] = result.resumed_layers;
    object["seconds"] = seconds;
    object["cpu_seconds"] = cpu_seconds();
    object["peak_resident_bytes"] = memory_use().peak_resident;
    print_json("nibble.quantize/1", object);
    return 0;
  }
  if (options.dry_run) {
    if (calibrated)
      fmt::print("calibration: {}, {} windows of {} tokens\n", result.calibration.description,
                 result.calibration.samples, result.calibration.length);
    global.log("nothing was written (--dry-run)");
    return 0;
  }
  print_result(options, result, seconds);
  global.log(
      cat("next: nibble compare ", options.model, " ", result.output.string(), " --file test.txt"));
  return 0;
}

int run(const Options& options, const Global& global) {
  const RecipeString said = said_by_recipe(options.flags);
  try {
    return quantize(options, global);
  } catch (const Error& error) {
    throw in_words_of(said, error);
  }
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  app.add_option("MODEL", options->model, "Folder, GGUF file, or org/name in the cache")
      ->required();
  app.add_option("OUT", options->output, "Folder to create, or NAME.gguf")->required();
  declare(app, options->flags);
  app.add_flag("--dry-run", options->dry_run, "print the plan, check the inputs, write nothing");
  return [options, &global] { return run(*options, global); };
}

}  // namespace

extern const Command quantize_command{
    .name = "quantize",
    .summary = "Make a model small: GPTQ, HQQ or plain rounding, 2 to 8 bits",
    .examples =
        "  nibble quantize MODEL OUT\n"
        "  nibble quantize MODEL OUT --method gptq --bits 4 --group-size 128 --calib notes.txt\n"
        "  nibble quantize MODEL OUT \\\n"
        "    --recipe 'awq | gptq int4 -> awq'\n"
        "  nibble quantize MODEL model.gguf --type Q4_K_M\n"
        "  nibble quantize F16.gguf Q4.gguf --type Q4_K_M\n"
        "  nibble quantize MODEL OUT --bits 3 --override 'down_proj=4:128' --skip "
        "'layers\\.0\\.'\n",
    .setup = setup,
};

}  // namespace nibble::cli
