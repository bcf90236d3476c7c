#include "quantize/recipe.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::array<std::size_t, 3> kUsualGroups = {128, 64, 32};

std::regex compile(const std::string& pattern) {
  try {
    return std::regex(pattern);
  } catch (const std::regex_error& error) {
    throw Error(ErrorKind::kInvalidArgument,
                cat("\"", pattern, "\" is not a regular expression: ", error.what()));
  }
}

// Patterns of the user, each of which must match at least one module.
class Patterns {
 public:
  explicit Patterns(std::string option) : option_(std::move(option)) {}
  void add(const std::string& text) { patterns_.push_back({text, compile(text), 0}); }
  // The first that matches `name`.
  std::optional<std::size_t> match(const std::string& name) {
    for (std::size_t i = 0; i < patterns_.size(); ++i)
      if (std::regex_search(name, patterns_[i].regex)) {
        ++patterns_[i].matches;
        return i;
      }
    return std::nullopt;
  }
  void require_matches() const {
    for (const Pattern& pattern : patterns_)
      if (pattern.matches == 0)
        throw Error(
            ErrorKind::kInvalidArgument,
            cat(option_, " \"", pattern.text, "\" matches no module that is left"),
            "module names look like model.layers.0.mlp.down_proj (nibble show MODEL lists them)");
  }

 private:
  struct Pattern {
    std::string text;
    std::regex regex;
    std::size_t matches = 0;
  };
  std::string option_;
  std::vector<Pattern> patterns_;
};

// "self_attn.q_proj, … (576 inputs)" for each distinct row length.
std::string layers_by_width(const std::vector<PlannedModule>& modules) {
  std::map<std::size_t, std::vector<std::string>> names;
  for (const PlannedModule& module : modules) {
    const std::string role(module_name(module.role));
    auto& list = names[module.columns];
    if (std::find(list.begin(), list.end(), role) == list.end()) list.push_back(role);
  }
  std::string text;
  for (const auto& [columns, list] : names)
    text += cat(text.empty() ? "" : "; ", join(list, ", "), " have rows of ", columns);
  return text;
}

bool divides_all(std::size_t group, const std::vector<PlannedModule>& modules) {
  return std::all_of(modules.begin(), modules.end(),
                     [&](const PlannedModule& module) { return module.columns % group == 0; });
}

std::size_t choose_group(const std::vector<PlannedModule>& modules, Recipe& recipe) {
  for (const std::size_t group : kUsualGroups)
    if (divides_all(group, modules)) {
      if (group != kUsualGroups.front())
        recipe.notes.push_back(cat("groups of ", group,
                                   ": the largest of 128, 64, 32 that divides every row (",
                                   layers_by_width(modules), ")"));
      return group;
    }
  recipe.notes.push_back(cat("one group for each row: none of 128, 64, 32 divides every row (",
                             layers_by_width(modules), ")"));
  return 0;
}

void require_divides(std::size_t group, const std::vector<PlannedModule>& modules) {
  if (group == 0 || divides_all(group, modules)) return;
  std::vector<PlannedModule> bad;
  for (const PlannedModule& module : modules)
    if (module.columns % group != 0) bad.push_back(module);
  std::vector<std::string> fitting;
  for (const std::size_t size : {256, 128, 96, 64, 48, 32, 16})
    if (divides_all(size, modules)) fitting.push_back(std::to_string(size));
  throw Error(ErrorKind::kInvalidArgument,
              cat("groups of ", group, " do not divide the rows of ", bad.size(),
                  " modules: ", layers_by_width(bad)),
              fitting.empty() ? std::string("use --group-size -1 (one group for each row)")
                              : cat("group sizes that fit every row: ", join(fitting, ", "),
                                    "; or leave --group-size out"));
}

}  // namespace

std::size_t followed_windows(const QuantizeOptions& options, std::size_t windows) {
  return std::min(windows, options.drift_samples.value_or((windows + 1) / 2));
}

const PlannedModule* Recipe::find(std::size_t layer, Role role) const {
  for (const PlannedModule& module : modules)
    if (module.layer == layer && module.role == role) return &module;
  return nullptr;
}

Recipe make_recipe(const ModelSource& source, const QuantizeOptions& options,
                   const std::set<std::string>& unusable) {
  const Layout& layout = layouts::named(options.layout);
  if (layouts::claiming(source.config()) != nullptr)
    throw Error(ErrorKind::kInvalidArgument, cat(source.folder().string(), " is quantized already"),
                "start from the original checkpoint: quantizing twice loses more");

  Recipe recipe;
  Patterns skip("--skip"), override_patterns("--override");
  for (const std::string& pattern : options.skip) skip.add(pattern);
  for (const Override& rule : options.overrides) override_patterns.add(rule.pattern);

  std::vector<PlannedModule> ragged;
  for (std::size_t layer = 0; layer < source.hyper().layers; ++layer) {
    const Block block = source.block(layer);
    for (const Stage stage : kStages)
      for (const Role role : roles_of(stage)) {
        const Linear& linear = block.linear(role);
        PlannedModule module{source.module_path(layer, role),
                             layer,
                             role,
                             linear.outputs(),
                             linear.inputs(),
                             {options.bits, 0}};
        if (skip.match(module.name) || unusable.contains(module.name)) {
          recipe.layout_settings.skipped.push_back(module.name);
        } else if (!layout.refusal(module.rows, module.columns, module.settings).empty()) {
          recipe.layout_settings.skipped.push_back(module.name);
          ragged.push_back(module);
        } else {
          recipe.modules.push_back(std::move(module));
        }
      }
  }
  skip.require_matches();
  if (!ragged.empty())
    recipe.notes.push_back(
        cat(ragged.size(), " modules stay as they are: ",
            layout.refusal(ragged[0].rows, ragged[0].columns, ragged[0].settings)));
  if (recipe.modules.empty())
    throw Error(ErrorKind::kInvalidArgument, "no module is left to quantize");

  std::vector<PlannedModule> plain;
  std::vector<std::optional<std::size_t>> rules;
  for (const PlannedModule& module : recipe.modules) {
    rules.push_back(override_patterns.match(module.name));
    if (!rules.back()) plain.push_back(module);
  }
  override_patterns.require_matches();
  if (options.group_size) require_divides(*options.group_size, plain);
  const std::size_t group = options.group_size ? *options.group_size : choose_group(plain, recipe);
  recipe.layout_settings.base = {options.bits, group};
  for (std::size_t i = 0; i < recipe.modules.size(); ++i) {
    PlannedModule& module = recipe.modules[i];
    module.settings =
        rules[i] ? options.overrides[*rules[i]].settings : recipe.layout_settings.base;
    if (rules[i]) {
      require_divides(module.settings.group_size, {module});
      recipe.layout_settings.overrides.emplace_back(module.name, module.settings);
    }
  }

  const bool calibrated = methods::named(options.method).needs == Needs::kHessian;
  const bool textbook = options.method_options.scales == ScaleSearch::kAbsMax;
  if (calibrated)
    recipe.drift_correction = options.drift_correction.value_or(textbook ? 0 : kDriftCorrection);
  recipe.symmetry = !options.symmetric       ? Symmetry::kAsymmetric
                    : options.symmetric_grid ? *options.symmetric_grid
                    : textbook               ? Symmetry::kPlain
                                             : Symmetry::kSigned;
  recipe.layout_settings.symmetric = options.symmetric;
  recipe.layout_settings.group_index =
      calibrated && options.method_options.order == ColumnOrder::kGroupIndex;
  recipe.layout_settings.variant = options.variant;
  recipe.layout_settings.damping = options.method_options.damping;
  return recipe;
}

}  // namespace nibble
