#include "quantize/recipe.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "nibble/error.h"
#include "quantize/layer/feedback_options.h"
#include "quantize/layer/rounder.h"
#include "quantize/patterns.h"
#include "quantize/requantize.h"
#include "quantize/types/choose_types.h"
#include "quantize/types/fitting.h"

namespace nibble {
namespace {

// "self_attn.q_proj, … (576 inputs)" for each distinct row length.
std::string layers_by_width(const std::vector<PlannedModule>& modules) {
  std::map<std::size_t, std::vector<std::string>> names;
  for (const PlannedModule& module : modules) {
    const std::string role(module_name(module.role));
    auto& list = names[module.shape.columns];
    if (std::find(list.begin(), list.end(), role) == list.end()) list.push_back(role);
  }
  std::string text;
  for (const auto& [columns, list] : names)
    text += cat(text.empty() ? "" : "; ", join(list, ", "), " have rows of ", columns);
  return text;
}

bool divides(std::size_t group, const PlannedModule& module, const Recipe& recipe) {
  const auto may_be_short = recipe.layout->short_groups;
  return module.shape.columns % group == 0 ||
         (may_be_short != nullptr &&
          may_be_short(*module.shape.grid, recipe.layout_settings.dialect));
}

bool divides_all(std::size_t group, const std::vector<PlannedModule>& modules,
                 const Recipe& recipe) {
  return std::all_of(modules.begin(), modules.end(),
                     [&](const PlannedModule& module) { return divides(group, module, recipe); });
}

std::string list_of(std::span<const std::size_t> sizes) {
  std::string text;
  for (const std::size_t size : sizes) text += cat(text.empty() ? "" : ", ", size);
  return text;
}

std::size_t choose_group(const std::vector<PlannedModule>& modules, Recipe& recipe) {
  const auto usual = recipe.layout->usual_groups(*recipe.layout_settings.base.grid,
                                                 recipe.layout_settings.dialect);
  if (usual.empty()) return 0;
  for (const std::size_t group : usual)
    if (divides_all(group, modules, recipe)) {
      if (group != usual.front())
        recipe.notes.push_back(cat("groups of ", group, ": the largest of ", list_of(usual),
                                   " that divides every row (", layers_by_width(modules), ")"));
      return group;
    }
  recipe.notes.push_back(cat("one group for each row: none of ", list_of(usual),
                             " divides every row (", layers_by_width(modules), ")"));
  return 0;
}

void require_divides(std::size_t group, const std::vector<PlannedModule>& modules,
                     const Recipe& recipe) {
  if (group == 0 || divides_all(group, modules, recipe)) return;
  std::vector<PlannedModule> bad;
  for (const PlannedModule& module : modules)
    if (!divides(group, module, recipe)) bad.push_back(module);
  std::vector<std::string> fitting;
  for (const std::size_t size : {256, 128, 96, 64, 48, 32, 16})
    if (divides_all(size, modules, recipe)) fitting.push_back(std::to_string(size));
  throw Error(ErrorKind::kInvalidArgument,
              cat("groups of ", group, " do not divide the rows of ", bad.size(),
                  " modules: ", layers_by_width(bad)),
              fitting.empty() ? std::string("use --group-size -1 (one group for each row)")
                              : cat("group sizes that fit every row: ", join(fitting, ", "),
                                    "; or leave --group-size out"));
}

// The layout that was named, or whose dialect was; null: neither.
const Layout* asked_layout(const QuantizeOptions& options) {
  if (!options.layout.empty()) return &layouts::named(options.layout);
  return options.dialect.empty() ? nullptr : layouts::with_dialect(options.dialect);
}

// A dialect may stand for a grid; asked for both, they must agree.
std::string grid_name(const QuantizeOptions& options) {
  const Layout* layout = asked_layout(options);
  if (layout == nullptr || layout->grid_of == nullptr)
    return options.grid.empty() ? "int4" : options.grid;
  if (options.dialect.empty() && !options.grid.empty()) return options.grid;
  const std::string dialect = layouts::dialect_of(*layout, options.dialect);
  const std::string own(layout->grid_of(dialect));
  if (own.empty()) return options.grid.empty() ? "int4" : options.grid;
  if (!options.grid.empty() && options.grid != own)
    throw Error(
        ErrorKind::kInvalidArgument,
        cat(dialect, " holds codes of ", own, ", and ", options.grid, " was asked for"),
        cat("leave one of them out; for some modules: --override 'down_proj=", options.grid, "'"));
  return own;
}

// The asked one, or the first that stands for the grid.
std::string dialect_for(const Layout& layout, const Grid& grid, const QuantizeOptions& options) {
  if (options.dialect.empty())
    if (const auto fitting = layouts::dialects_for(layout, grid); !fitting.empty())
      return fitting.front();
  return layouts::dialect_of(layout, options.dialect);
}

// The first layout that can hold `grid` at all.
const Layout& layout_of(const QuantizeOptions& options, const Grid& grid) {
  const auto refusal = [&](const Layout& layout) {
    const auto usual = layout.usual_groups(grid, options.dialect);
    return layout.refusal(code_shape(4096, 4096, {&grid, usual.empty() ? 0 : usual.front()}));
  };
  const auto holds = [&](const Layout& layout) { return refusal(layout).empty(); };
  std::vector<std::string> able;
  for (const Layout* layout : layouts::all())
    if (holds(*layout)) able.emplace_back(layout->name);
  const Layout* asked = asked_layout(options);
  if (asked == nullptr && !able.empty()) return layouts::named(able.front());
  if (able.empty())
    throw Error(ErrorKind::kUnsupported, cat("no layout can store codes of ", grid.name),
                "nibble formats lists grids and layouts");
  const Layout& layout = *asked;
  if (!holds(layout))
    throw Error(ErrorKind::kInvalidArgument,
                layout.write == nullptr
                    ? cat("layout ", layout.name, ": ", refusal(layout))
                    : cat("layout ", layout.name, " cannot store codes of ", grid.name),
                cat("layouts that can: ", join(able, ", ")));
  return layout;
}

// Gives each module and transform the values of the options it reads; refuses those nobody reads.
class Settings {
 public:
  explicit Settings(const std::map<std::string, std::string>& given) : given_(given) {}

  Options of(std::span<const OptionSpec* const> specs) {
    Options options(specs);
    for (const OptionSpec* spec : specs) {
      const auto found = given_.find(std::string(spec->name));
      if (found == given_.end()) continue;
      options.set(*spec, found->second);
      read_.insert(found->first);
    }
    return options;
  }

  void require_read(const Recipe& recipe) const {
    for (const auto& [name, value] : given_) {
      if (read_.contains(name)) continue;
      std::set<std::string> chosen;
      std::vector<std::string> readers;
      for (const PlannedModule& module : recipe.modules) chosen.emplace(module.method->name);
      for (const Method* method : methods::all())
        if (declares(method->options, name)) readers.emplace_back(method->name);
      for (const Transform* transform : transforms::all())
        if (declares(transform->options, name)) readers.emplace_back(transform->name);
      throw Error(ErrorKind::kInvalidArgument,
                  cat("--", name, " is not read by ",
                      join(std::vector<std::string>(chosen.begin(), chosen.end()), ", ")),
                  cat("leave it out; it is read by ", join(readers, ", ")));
    }
  }

 private:
  static bool declares(std::span<const OptionSpec* const> specs, const std::string& name) {
    return std::any_of(specs.begin(), specs.end(),
                       [&](const OptionSpec* spec) { return spec->name == name; });
  }

  const std::map<std::string, std::string>& given_;
  std::set<std::string> read_;
};

// Statistics are of the original inputs, which drift from nothing.
void decide_drift(Options& options, bool of_statistics) {
  if (!options.has("drift-correction") || options.decided("drift-correction")) return;
  const bool none = of_statistics || textbook_scales(options);
  options.set(kDriftShareOption, none ? "0" : cat(kDriftCorrection));
}

void require_statistics_read(const QuantizeOptions& options, const Recipe& recipe) {
  if (options.statistics.empty()) return;
  const std::string given = cat("--stats ", options.statistics.string());
  if (!options.calibration.sources.empty())
    throw Error(ErrorKind::kInvalidArgument, cat("--calib would not be read beside ", given),
                "leave one of them out");
  for (const char* option : {"drift-correction", "drift-samples"})
    if (options.settings.contains(option))
      throw Error(ErrorKind::kInvalidArgument,
                  cat("--", option, " would not be read beside ", given,
                      ": statistics are of the original model's inputs"),
                  "leave it out, or calibrate on a text with --calib");
  if (!recipe.calibrated())
    throw Error(ErrorKind::kInvalidArgument,
                cat(given, " would not be read: ", options.method, " needs no calibration"),
                "leave it out, or choose a method that is calibrated (nibble methods)");
}

// An imatrix knows how large each input is, and of no two how they go together.
void require_imatrix_read(const QuantizeOptions& options, const Recipe& recipe) {
  if (options.imatrix.empty()) return;
  const std::string given = cat("--imatrix ", options.imatrix.string());
  const auto refuse = [&](const std::string& why, const std::string& fix) {
    throw Error(ErrorKind::kInvalidArgument, cat(given, why), fix);
  };
  if (!options.statistics.empty() || !options.calibration.sources.empty())
    refuse(cat(" would not be read beside ", options.statistics.empty() ? "--calib" : "--stats",
               ", which knows more"),
           "leave one of them out");
  const auto too_little = [&](std::string_view reader) {
    refuse(cat(": ", reader,
               " needs the products of all inputs with each other, and an imatrix "
               "has only their squares"),
           "take --method rtn; or measure them: nibble calibrate MODEL S.gguf --calib TEXT and "
           "--stats S.gguf; or give the text itself, --calib TEXT");
  };
  for (const PlannedTransform& planned : recipe.transforms) too_little(planned.transform->name);
  for (const PlannedModule& module : recipe.modules) {
    if (module.method->needs != Needs::kNothing) too_little(module.method->name);
    const bool joint = module.storable.joint();
    if (!module.method->weighs)
      refuse(cat(" would not be read: ", module.method->name, " weighs no inputs"),
             "take --method rtn, or leave it out");
    if (!joint && module.options.has("scales") && module.options.text("scales") != "weighted")
      refuse(cat(" would not be read: --scales ", module.options.text("scales"),
                 " weighs all inputs alike"),
             "leave one of them out");
  }
}

// All planned modules, without grids and groups; skipped ones go into the layout's settings.
std::vector<PlannedModule> modules_of(const ModelSource& source, const QuantizeOptions& options,
                                      const std::set<std::string>& unusable, Recipe& recipe) {
  Patterns skip("--skip");
  for (const std::string& pattern : options.skip) skip.add(pattern);
  std::vector<PlannedModule> modules;
  for (std::size_t layer = 0; layer < source.hyper().layers; ++layer) {
    const Block block = source.block(layer);
    for (const Stage stage : kStages)
      for (const Role role : roles_of(stage)) {
        PlannedModule module;
        module.name = source.module_path(layer, role);
        module.layer = layer;
        module.role = role;
        module.shape.grid = recipe.layout_settings.base.grid;
        module.shape.rows = block.linear(role).outputs();
        module.shape.columns = block.linear(role).inputs();
        if (skip.match(module.name) || unusable.contains(module.name))
          recipe.layout_settings.skipped.push_back(module.name);
        else
          modules.push_back(std::move(module));
      }
  }
  skip.require_matches();
  return modules;
}

// Those that the layout can hold at all; the others are skipped, with a note.
std::vector<PlannedModule> holdable(std::vector<PlannedModule> modules, Recipe& recipe) {
  std::vector<PlannedModule> kept;
  std::size_t ragged = 0;
  std::string why;
  for (PlannedModule& module : modules) {
    if (recipe.layout_settings.dialects.contains(module.name)) {
      kept.push_back(std::move(module));
      continue;
    }
    CodeShape usual = module.shape;
    usual.group_size = usual.columns;
    for (const std::size_t group :
         recipe.layout->usual_groups(*usual.grid, recipe.layout_settings.dialect))
      if (usual.group_size == usual.columns && divides(group, module, recipe))
        usual.group_size = group;
    const std::string refusal = recipe.layout->refusal(usual);
    if (refusal.empty()) {
      kept.push_back(std::move(module));
      continue;
    }
    if (ragged++ == 0) why = refusal;
    recipe.layout_settings.skipped.push_back(module.name);
  }
  if (ragged > 0) recipe.notes.push_back(cat(ragged, " modules stay as they are: ", why));
  return kept;
}

// Why the module cannot be what its recipe says; empty when it can.
std::string refusal_of(const PlannedModule& module) {
  std::string refusal;
  if (module.method->refusal != nullptr)
    refusal = module.method->refusal(module.shape, module.storable, module.options);
  if (refusal.empty() && module.shape.group_size % module.shape.grid->dimension != 0)
    refusal = cat("groups of ", module.shape.group_size, " cut through the ",
                  module.shape.grid->dimension, " weights of a code of ", module.shape.grid->name);
  return refusal;
}

// What to do about a module that the layout refuses.
std::string fix_for(const QuantizeOptions& options, const Recipe& recipe,
                    const PlannedModule& module) {
  const auto sizes = fitting_groups(*recipe.layout, module.shape);
  if (!sizes.empty())
    return cat("group sizes of ", module.shape.grid->name, " that fit: ", join(sizes, ", "),
               "; or leave the size out");
  std::vector<const Grid*> grids = {recipe.layout_settings.base.grid};
  for (const Override& rule : options.overrides)
    if (rule.grid != nullptr && std::find(grids.begin(), grids.end(), rule.grid) == grids.end())
      grids.push_back(rule.grid);
  std::vector<std::string> names;
  for (const Grid* grid : grids) names.emplace_back(grid->name);
  const auto able = layouts_of_all(grids);
  return able.empty()
             ? cat("no layout holds ", join(names, " and "), " together: choose another grid")
             : cat("layouts that hold ", join(names, " and "), ": --layout ", join(able, ", "));
}

// Method, grid, group and options of one module; `rule` may be null.
void resolve(const QuantizeOptions& options, const Override* rule, Settings& settings,
             Recipe& recipe, PlannedModule& module) {
  LayoutSettings& layout = recipe.layout_settings;
  ModuleSettings own = layout.base;
  if (rule != nullptr && rule->grid != nullptr) layout.dialects.erase(module.name);
  const auto type = layout.dialects.find(module.name);
  if (type != layout.dialects.end()) {
    own.grid = &grids::named(recipe.layout->grid_of(type->second));
    own.group_size = options.group_size
                         ? *options.group_size
                         : recipe.layout->usual_groups(*own.grid, type->second).front();
  }
  if (rule != nullptr && rule->grid != nullptr) {
    own.grid = rule->grid;
    const auto usual = recipe.layout->usual_groups(*own.grid, layout.dialect);
    const bool fits = std::find(usual.begin(), usual.end(), own.group_size) != usual.end();
    if (!options.group_size && !fits && own.group_size != 0 && !usual.empty())
      own.group_size = usual.front();
  }
  if (rule != nullptr && rule->group_size) {
    require_divides(*rule->group_size, {module}, recipe);
    own.group_size = *rule->group_size;
  }
  if (rule != nullptr) layout.overrides.emplace_back(module.name, own);
  module.shape = code_shape(module.shape.rows, module.shape.columns, own);
  module.method = &methods::named(rule != nullptr && rule->method ? *rule->method : options.method);
  if (const std::string refusal = recipe.layout->refusal(module.shape); !refusal.empty())
    throw Error(ErrorKind::kInvalidArgument, cat(module.name, ": ", refusal),
                fix_for(options, recipe, module));
  module.storable = recipe.layout->storable(module.shape, layout.of_module(module.name));
  module.options = settings.of(module.method->options);
  decide_symmetry(*module.shape.grid, module.storable, module.options);
  decide_drift(module.options, !options.statistics.empty());
  if (const std::string refusal = refusal_of(module); !refusal.empty())
    throw Error(ErrorKind::kInvalidArgument, cat(module.name, ": ", refusal));
}

void resolve_all(const QuantizeOptions& options, Settings& settings, Recipe& recipe) {
  Patterns patterns("--override");
  for (const Override& rule : options.overrides) patterns.add(rule.pattern);
  std::vector<const Override*> rules;
  std::vector<PlannedModule> plain;
  for (const PlannedModule& module : recipe.modules) {
    const auto rule = patterns.match(module.name);
    rules.push_back(rule ? &options.overrides[*rule] : nullptr);
    const bool typed = recipe.layout_settings.dialects.contains(module.name) &&
                       (rules.back() == nullptr || rules.back()->grid == nullptr);
    if (!typed && (rules.back() == nullptr || !rules.back()->group_size)) plain.push_back(module);
  }
  patterns.require_matches();
  if (options.group_size) require_divides(*options.group_size, plain, recipe);
  recipe.layout_settings.base.group_size =
      options.group_size ? *options.group_size : choose_group(plain, recipe);
  for (std::size_t i = 0; i < recipe.modules.size(); ++i)
    resolve(options, rules[i], settings, recipe, recipe.modules[i]);
}

// Each once, however many modules it is of.
void add_method_notes(Recipe& recipe) {
  std::set<std::string> told;
  for (const PlannedModule& module : recipe.modules) {
    if (module.method->note == nullptr) continue;
    const std::string note = module.method->note(module.shape);
    if (!note.empty() && told.insert(note).second) recipe.notes.push_back(note);
  }
}

// What readers of the checkpoint are told of the codes.
void describe(Recipe& recipe) {
  LayoutSettings& settings = recipe.layout_settings;
  settings.symmetric = true;
  for (const PlannedModule& module : recipe.modules) {
    const Options& options = module.options;
    const bool free_zeros = module.shape.grid->free_zeros() &&
                            (!options.has("symmetry") || options.text("symmetry") == "asymmetric");
    settings.symmetric &= !free_zeros;
    settings.group_index |= options.has("act-order") && options.text("act-order") == "gidx";
    if (options.has("damping")) settings.damping = options.number("damping");
  }
}

// Every block follows its type's own rule: nobody reads what was asked of methods.
void refuse_choices(const QuantizeOptions& options, const std::string& type) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorKind::kInvalidArgument,
                cat(what, " would not be read: ",
                    gguf_type_named(type).blocks == nullptr
                        ? cat("weights stored as ", type, " are not quantized")
                        : cat("blocks of ", type, " follow a rule of their own")),
                "leave it out, or choose another --type (nibble formats lists them)");
  };
  if (!options.grid.empty()) refuse(cat("--grid ", options.grid));
  if (options.group_size) refuse("--group-size");
  if (options.method != QuantizeOptions().method && options.method != "rtn")
    refuse(cat("--method ", options.method));
  if (!options.overrides.empty()) refuse(cat("--override ", options.overrides.front().pattern));
  if (!options.settings.empty()) refuse(cat("--", options.settings.begin()->first));
  if (!options.imatrix.empty()) refuse(cat("--imatrix ", options.imatrix.string()));
  if (!options.calibration.sources.empty())
    refuse(cat("--calib ", options.calibration.sources.front().path.string()));
}

}  // namespace

const PlannedTensor* Recipe::tensor(std::string_view name) const {
  for (const PlannedTensor& tensor : tensors)
    if (tensor.name == name) return &tensor;
  return nullptr;
}

const PlannedModule* Recipe::find(std::size_t layer, Role role) const {
  for (const PlannedModule& module : modules)
    if (module.layer == layer && module.role == role) return &module;
  return nullptr;
}

bool Recipe::calibrated() const {
  return std::any_of(
             modules.begin(), modules.end(),
             [](const PlannedModule& module) { return module.method->needs != Needs::kNothing; }) ||
         std::any_of(transforms.begin(), transforms.end(), [](const PlannedTransform& planned) {
           return planned.transform->needs != Needs::kNothing;
         });
}

bool Recipe::needs_hessian(std::size_t layer, Role role) const {
  const PlannedModule* module = find(layer, role);
  return module != nullptr && module->method->needs == Needs::kHessian;
}

std::size_t Recipe::followed_windows(std::size_t windows) const {
  std::size_t followed = 0;
  for (const PlannedModule& module : modules) {
    if (!(module.drift_share() > 0)) continue;
    const bool decided = module.options.decided("drift-samples");
    followed = std::max(followed,
                        decided ? static_cast<std::size_t>(module.options.number("drift-samples"))
                                : (windows + 1) / 2);
  }
  return std::min(windows, followed);
}

Recipe make_recipe(const ModelSource& source, const QuantizeOptions& asked,
                   const std::set<std::string>& unusable) {
  if (layouts::claiming(source.config()) != nullptr)
    throw Error(ErrorKind::kInvalidArgument, cat(source.folder().string(), " is quantized already"),
                "start from the original checkpoint: quantizing twice loses more");
  Recipe recipe;
  const QuantizeOptions options = with_base_type(asked, recipe.layout_settings.mix);
  const Grid& grid = grids::named(grid_name(options));
  recipe.layout = &layout_of(options, grid);
  recipe.layout_settings.dialect = dialect_for(*recipe.layout, grid, options);
  recipe.layout_settings.base.grid = &grid;
  if (const TensorInfo* first =
          source.checkpoint().find(source.module_path(0, Role::kQuery) + ".weight"))
    recipe.layout_settings.dtype = first->blocks != nullptr ? DType::kF16 : first->dtype;
  recipe.modules = modules_of(source, options, unusable, recipe);
  choose_types(source, options, unusable, recipe);
  recipe.modules = holdable(std::move(recipe.modules), recipe);
  if (!options.types.layers.empty()) recipe.layout_settings.dialect = options.types.layers;
  if (recipe.modules.empty() && recipe.tensors.empty())
    throw Error(ErrorKind::kInvalidArgument,
                cat("no module is left to quantize",
                    recipe.notes.empty() ? "" : cat(": ", recipe.notes.back())),
                "choose another type or grid, or skip fewer modules");

  if (recipe.modules.empty()) refuse_choices(options, recipe.layout_settings.dialect);

  Settings settings(options.settings);
  std::set<std::string> transforms;
  for (const std::string& name : options.transforms) {
    if (!transforms.insert(name).second)
      throw Error(ErrorKind::kInvalidArgument, cat("--transform ", name, " was given twice"),
                  "each transform is done once: leave one of them out");
    const Transform& transform = transforms::named(name);
    recipe.transforms.push_back({&transform, settings.of(transform.options)});
  }
  resolve_all(options, settings, recipe);
  settings.require_read(recipe);
  add_method_notes(recipe);
  settle_blocks(source, options, recipe);
  describe(recipe);
  require_imatrix_read(options, recipe);
  require_statistics_read(options, recipe);
  if (!recipe.calibrated() && !options.calibration.sources.empty())
    throw Error(ErrorKind::kInvalidArgument,
                cat("--calib ", options.calibration.sources.front().path.string(),
                    " would not be read: ", options.method, " needs no calibration"),
                "leave it out, or choose a method that is calibrated (nibble methods)");
  return recipe;
}

}  // namespace nibble
