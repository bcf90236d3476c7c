#include "prune/recipe.h"

#include "base/text.h"
#include "nibble/error.h"
#include "prune/methods/pruning.h"
#include "prune/units.h"
#include "quantize/layer/feedback_options.h"

namespace nibble {
namespace {

constexpr std::string_view kUsual = "sparsegpt";

void require_share(std::string_view option, const std::optional<double>& share) {
  if (!share || (*share > 0 && *share < 1)) return;
  throw Error(ErrorKind::kInvalidArgument,
              cat("--", option, " ", *share, " is no share of what there is"),
              cat("a share lies between 0 and 1: --", option, " 0.3 takes out 30 %"));
}

[[noreturn]] void refuse_unread(const std::string& option, const std::string& why,
                                const std::string& fix) {
  throw Error(ErrorKind::kInvalidArgument, cat(option, " would not be read: ", why), fix);
}

const Method& method_of(const PruneOptions& options) {
  if (options.structured()) return pruning::units;
  return pruning::named(options.method.empty() ? kUsual : options.method);
}

bool reads(const Method& method, std::string_view option) {
  for (const OptionSpec* spec : method.options)
    if (spec->name == option) return true;
  return false;
}

void require_runs(const Pattern& pattern, const PlannedModule& module) {
  if (module.shape.columns % pattern.of == 0) return;
  throw Error(ErrorKind::kInvalidArgument,
              cat("--pattern ", pattern.stay, ":", pattern.of, ": rows of ", module.name, " have ",
                  module.shape.columns, " weights, which ", pattern.of, " does not divide"),
              "take a pattern whose second number divides all rows, or --sparsity");
}

}  // namespace

void check_options(const PruneOptions& options) {
  require_share("sparsity", options.sparsity);
  require_share("heads", options.heads);
  require_share("channels", options.channels);
  const bool single = options.sparsity || options.pattern;
  if (!single && !options.structured())
    throw Error(ErrorKind::kInvalidArgument, "prune was not told what to take out",
                "--sparsity 0.5 or --pattern 2:4 zeroes single weights; --channels 0.2 and --heads "
                "0.25 make matrices smaller");
  if (options.sparsity && options.pattern)
    throw Error(ErrorKind::kInvalidArgument, "--sparsity and --pattern both say how many go",
                "leave one of them out");
  if (single && options.structured())
    throw Error(ErrorKind::kInvalidArgument,
                cat(options.sparsity ? "--sparsity" : "--pattern", " zeroes single weights, ",
                    options.heads ? "--heads" : "--channels", " takes out whole ones"),
                "take out whole ones first, with --heads or --channels, and zero single weights of "
                "that output: "
                "least squares would fill zeros that are there before");
  if (options.structured() && !options.method.empty())
    refuse_unread(cat("--method ", options.method), "heads and channels go by their outputs",
                  "leave it out");
  if (single && !options.repair)
    refuse_unread("--no-repair", "it is about --heads and --channels",
                  "leave it out; --method wanda changes no weight that stays");
  const Method& method = method_of(options);
  const std::string text = cat("method ", method.name);
  if (method.needs == Needs::kNothing && !options.calibration.sources.empty())
    refuse_unread("--calib", cat(text, " looks at no inputs"),
                  "leave it out, or take --method wanda or sparsegpt");
  if (options.damping && !reads(method, kDampingOption.name))
    refuse_unread("--damping", cat(text, " inverts nothing"), "leave it out");
  if (options.damping && !options.repair)
    refuse_unread("--damping", "without repair nothing is inverted", "leave it out");
}

Recipe prune_recipe(const ModelSource& source, const PruneOptions& options,
                    const Structure& structure, std::string_view type) {
  const Method& method = method_of(options);
  Recipe recipe;
  for (std::size_t layer = 0; layer < source.hyper().layers; ++layer) {
    const Block block = source.block(layer);
    for (const Stage stage : kStages)
      for (const Role role : roles_of(stage)) {
        const UnitChoice* choice = role == Role::kOutput && structure.heads ? &*structure.heads
                                   : role == Role::kDown && structure.channels
                                       ? &*structure.channels
                                       : nullptr;
        if (options.structured() && choice == nullptr) continue;
        PlannedModule module;
        module.name = source.module_path(layer, role);
        module.layer = layer;
        module.role = role;
        module.method = &method;
        module.shape.rows = block.linear(role).outputs();
        module.shape.columns = block.linear(role).inputs();
        module.options = Options(method.options);
        module.options.set(kTypeOption, std::string(type));
        if (options.damping) module.options.set(kDampingOption, cat(*options.damping));
        if (options.pattern) require_runs(*options.pattern, module);
        if (choice != nullptr)
          pruning::set_units(*choice, options.repair, module.options);
        else
          set_amount({options.sparsity.value_or(0), options.pattern}, module.options);
        recipe.modules.push_back(std::move(module));
      }
  }
  return recipe;
}

}  // namespace nibble
