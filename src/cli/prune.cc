// nibble prune: a model without part of its weights.
#include "prune/prune.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/memory.h"
#include "base/text.h"
#include "cli/calibration_options.h"
#include "cli/command.h"
#include "cli/compute_options.h"
#include "cli/json_output.h"
#include "cli/table.h"
#include "nibble/error.h"
#include "prune/methods/pruning.h"
#include "prune/passport.h"

namespace nibble::cli {
namespace {

struct Options {
  std::string model, output, shard_size, memory;
  std::optional<std::string> pattern;
  bool no_repair = false;
  CalibrationFlags calibration;
  PruneOptions asked;
};

std::string percent(std::uint64_t part, std::uint64_t whole) {
  return fmt::format("{:.1f} %",
                     whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole));
}

std::vector<std::string> plan_lines(const PrunePlan& plan, const PruneOptions& asked) {
  const Structure& structure = plan.structure;
  std::string what = cat("plan: ", plan.modules, " matrices in ", plan.layers, " layers, ");
  if (structure.heads)
    what += cat("query heads ", plan.heads, " -> ", structure.query_heads, ", key heads ",
                plan.kv_heads, " -> ", structure.kv_heads, ", ");
  if (structure.channels)
    what += cat("MLP channels ", plan.mlp_hidden, " -> ", structure.mlp_hidden, ", ");
  what += cat(percent(plan.weights_gone, plan.weights), " of their weights ",
              asked.structured() ? "go" : "become zeros");
  return {what, cat("      ", human_bytes(plan.input_bytes), " -> ", human_bytes(plan.output_bytes),
                    "; memory ", human_bytes(plan.peak_memory), " of ",
                    human_bytes(plan.memory_limit), ", beside the program and mapped files")};
}

// What the matrices of one role lost together.
struct RoleLoss {
  std::string role;
  std::uint64_t weights = 0, zeros = 0;
  std::size_t modules = 0;
  double weight_error = 0;
  std::optional<double> output_error;
};

std::vector<RoleLoss> by_role(const PruneResult& result) {
  std::vector<RoleLoss> losses(kRoles);
  for (const PrunedModule& module : result.modules) {
    RoleLoss& loss = losses[static_cast<std::size_t>(module.role)];
    loss.role = module_name(module.role);
    loss.weights += module.weights;
    loss.zeros += module.zeros;
    loss.weight_error += module.weight_error;
    if (module.output_error)
      loss.output_error = loss.output_error.value_or(0) + *module.output_error;
    ++loss.modules;
  }
  std::erase_if(losses, [](const RoleLoss& loss) { return loss.modules == 0; });
  for (RoleLoss& loss : losses) {
    const auto count = static_cast<double>(loss.modules);
    loss.weight_error /= count;
    if (loss.output_error) *loss.output_error /= count;
  }
  return losses;
}

Json json_of(const Options& options, const PruneResult& result) {
  const PrunePlan& plan = result.plan;
  Json modules = Json::array(), roles = Json::array();
  for (const PrunedModule& module : result.modules) modules.push_back(pruned_json(module));
  for (const RoleLoss& loss : by_role(result))
    roles.push_back({{"role", loss.role},
                     {"weights", loss.weights},
                     {"zeros", loss.zeros},
                     {"weight_error", loss.weight_error},
                     {"output_error", loss.output_error ? Json(*loss.output_error) : Json()}});
  return {{"output", options.output},
          {"method", result.method},
          {"weights", plan.weights},
          {"weights_gone", plan.weights_gone},
          {"input_bytes", plan.input_bytes},
          {"output_bytes", plan.output_bytes},
          {"peak_memory", plan.peak_memory},
          {"query_heads", plan.structure.query_heads},
          {"kv_heads", plan.structure.kv_heads},
          {"mlp_channels", plan.structure.mlp_hidden},
          {"calibration", calibration_json(result.calibration)},
          {"roles", std::move(roles)},
          {"modules", std::move(modules)}};
}

void print_result(const Options& options, const PruneResult& result, double seconds) {
  const PrunePlan& plan = result.plan;
  fmt::print("{}: {} -> {}, {} of the layers' weights {}, {:.1f} s\n", options.output,
             human_bytes(plan.input_bytes), human_bytes(plan.output_bytes),
             percent(plan.weights_gone, plan.weights),
             options.asked.structured() ? "are gone" : "are zero", seconds);
  Table table(
      {"matrices", options.asked.structured() ? "gone" : "zeros", "weight error", "output error"});
  for (const RoleLoss& loss : by_role(result))
    table.add({loss.role, percent(loss.zeros, loss.weights),
               fmt::format("{:.4f}", loss.weight_error),
               loss.output_error ? fmt::format("{:.4f}", *loss.output_error) : ""});
  fmt::print("{}", table.text());
  fmt::print("next: nibble compare {} {} --file TEXT\n", options.model, options.output);
}

// A text's settings without a method that reads texts.
void refuse_unread(const CLI::App& app, const std::string& method) {
  if (method.empty() || pruning::named(method).needs != Needs::kNothing) return;
  for (const char* option : {"--samples", "--seq-len", "--compute"})
    if (app.get_option(option)->count() > 0)
      throw Error(ErrorKind::kInvalidArgument,
                  cat(option, " would not be read: method ", method, " looks at no inputs"),
                  "leave it out, or take --method wanda or sparsegpt");
}

int run(Options& options, const CLI::App& app, const Global& global) {
  const auto start = std::chrono::steady_clock::now();
  PruneOptions& asked = options.asked;
  if (options.pattern) asked.pattern = parse_pattern(*options.pattern);
  if (!options.shard_size.empty())
    asked.max_shard_bytes = parse_size("--max-shard-size", options.shard_size);
  if (!options.memory.empty()) asked.memory_limit = parse_size("--memory", options.memory);
  refuse_unread(app, asked.method);
  asked.repair = !options.no_repair;
  asked.calibration = options_of(options.calibration, global.seed);
  asked.compute = compute_of(options.calibration);
  const auto model = global.model(options.model);
  const PruneResult result =
      prune_model(model, options.output, asked, global.progress, global.log,
                  [&](const PrunePlan& plan) { global.log_all(plan_lines(plan, asked)); });
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!global.json) {
    print_result(options, result, seconds);
    return 0;
  }
  Json object = run_json(model, asked.compute);
  object["seed"] = global.seed;
  object.update(json_of(options, result));
  object["seconds"] = seconds;
  object["peak_resident_bytes"] = memory_use().peak_resident;
  print_json("nibble.prune/1", object);
  return 0;
}

std::string method_list() {
  std::vector<std::string> names;
  for (const Method* method : pruning::all()) names.emplace_back(method->name);
  return join(names, ", ");
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  PruneOptions& asked = options->asked;
  app.add_option("MODEL", options->model, "Folder, GGUF file or org/name in the cache")->required();
  app.add_option("OUT", options->output, "Folder of the model with 16-bit weights")->required();
  app.add_option("--sparsity", asked.sparsity, "share of each matrix's weights that become zeros")
      ->group("What goes");
  app.add_option("--pattern", options->pattern,
                 "N:M, as 2:4: of every M neighbouring inputs of a row N stay")
      ->group("What goes");
  app.add_option("--heads", asked.heads,
                 "share of the heads: whole groups that share a key, or as many in each; matrices "
                 "become smaller")
      ->group("What goes");
  app.add_option("--channels", asked.channels,
                 "share of the MLP's channels, to a multiple of 32; matrices become smaller")
      ->group("What goes");
  app.add_option("--method", asked.method,
                 "which single weights go: " + method_list() + "; default: sparsegpt");
  app.add_option("--damping", asked.damping,
                 "share of the mean diagonal added to Hessians; default: 0.01");
  app.add_flag("--no-repair", options->no_repair,
               "with --heads and --channels: what stays does not make up for what goes");
  declare(app, options->calibration);
  app.add_option("--memory", options->memory, "bytes it may use; default: what is free");
  app.add_option("--max-shard-size", options->shard_size, "bytes in a file; default: 5GB");
  app.add_flag("--force", asked.replace, "replace an existing output");
  return [options, &app, &global] { return run(*options, app, global); };
}

}  // namespace

extern const Command prune_command{
    .name = "prune",
    .summary = "Take out weights: zeros, 2:4, or whole heads and channels",
    .examples =
        "  nibble prune MODEL OUT --sparsity 0.5 --calib t.txt\n"
        "  nibble prune MODEL OUT --pattern 2:4 --method wanda\n"
        "  nibble prune MODEL OUT --channels 0.2 --heads 0.25\n",
    .setup = setup,
};

}  // namespace nibble::cli
