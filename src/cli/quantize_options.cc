#include "cli/quantize_options.h"

#include <array>
#include <filesystem>

#include "base/text.h"
#include "cli/calibration_options.h"
#include "cli/compute_options.h"
#include "cli/grid_words.h"
#include "nibble/error.h"

namespace nibble::cli {
namespace {

// REGEX=[method/]grid[:group]; the grid may be left out.
Override parse_override(const std::string& text) {
  const auto equals = text.rfind('=');
  if (equals == text.npos || equals == 0)
    throw Error(ErrorKind::kInvalidArgument, cat("--override \"", text, "\" has no \"=\""),
                "write REGEX=grid:group, for example 'down_proj=int8:128', or "
                "'down_proj=rtn/int8:128'");
  Override rule;
  rule.pattern = text.substr(0, equals);
  std::string rest = text.substr(equals + 1);
  if (const auto slash = rest.find('/'); slash != rest.npos) {
    rule.method = rest.substr(0, slash);
    methods::named(*rule.method);
    rest = rest.substr(slash + 1);
  }
  if (const auto colon = rest.find(':'); colon != rest.npos) {
    rule.group_size = parse_group("--override", rest.substr(colon + 1));
    rest = rest.substr(0, colon);
  }
  if (!rest.empty()) rule.grid = &grid_named("--override", rest);
  return rule;
}

TypeOptions types_of(const QuantizeFlags& flags) {
  TypeOptions types;
  types.mix = flags.mix;
  types.pure = flags.pure;
  types.embedding = flags.embedding_type;
  types.head = flags.head_type;
  const auto check = [](const std::string& option, const std::string& type) {
    with_context(option, [&] { gguf_type_named(type); });
  };
  if (!types.embedding.empty()) check("--token-embedding-type", types.embedding);
  if (!types.head.empty()) check("--output-tensor-type", types.head);
  for (const std::string& text : flags.tensor_types) {
    const auto equals = text.rfind('=');
    if (equals == text.npos || equals == 0)
      throw Error(ErrorKind::kInvalidArgument, cat("--tensor-type \"", text, "\" has no \"=\""),
                  "write REGEX=TYPE, for example 'attn_v=Q6_K'");
    types.tensors.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    check("--tensor-type", types.tensors.back().second);
  }
  return types;
}

// What --recipe says as the options that say the same; what it leaves open stays as it was given.
QuantizeFlags with_recipe(QuantizeFlags flags) {
  const RecipeString recipe = parse_recipe(*flags.recipe);
  const auto refuse = [&](const std::string& option) {
    throw Error(ErrorKind::kInvalidArgument,
                cat(option, " contradicts --recipe \"", text_of(recipe), "\""),
                "leave one of them out, or say it once");
  };
  const auto take = [&](const char* option, std::string& flag, const std::string& said) {
    if (said.empty()) return;
    if (!flag.empty() && flag != said) refuse(cat(option, " ", flag));
    flag = said;
  };
  if (!recipe.transforms.empty()) {
    if (!flags.transforms.empty() && flags.transforms != recipe.transforms)
      refuse(cat("--transform ", join(flags.transforms, " --transform ")));
    flags.transforms = recipe.transforms;
  }
  take("--method", flags.method, recipe.method);
  if (!recipe.grid.empty() && flags.bits) {
    if (grid_of_bits("--bits", *flags.bits).name != recipe.grid)
      refuse(cat("--bits ", *flags.bits));
    flags.bits.reset();
  }
  if (!flags.grid.empty()) flags.grid = grid_named("--grid", flags.grid).name;
  take("--grid", flags.grid, recipe.grid);
  if (!recipe.group.empty() && !flags.group_size.empty() &&
      parse_group("--group-size", flags.group_size) != parse_group("--recipe", recipe.group))
    refuse(cat("--group-size ", flags.group_size));
  if (!recipe.group.empty()) flags.group_size = recipe.group;
  for (const auto& [name, value] : recipe.settings)
    take(cat("--", name).c_str(), flags.settings[name], value);
  if (const auto symmetry = recipe.settings.find("symmetry");
      symmetry != recipe.settings.end() && flags.asymmetric) {
    if (*flags.asymmetric != (symmetry->second == "asymmetric"))
      refuse(*flags.asymmetric ? "--asym" : "--sym");
    flags.asymmetric.reset();
  }
  take("--layout", flags.layout, recipe.layout);
  if (!recipe.type.empty() && gguf_named_alike(flags.dialect, recipe.type))
    flags.dialect = recipe.type;
  take("--type", flags.dialect, recipe.type);
  return flags;
}

// Where --help shows what is no everyday choice.
constexpr std::pair<const char*, const char*> kGroups[] = {
    {"--stats", "Calibration"},
    {"--imatrix", "Calibration"},
    {"--samples", "Calibration"},
    {"--seq-len", "Calibration"},
    {"--skip", "Modules"},
    {"--override", "Modules"},
    {"--allow-requantize", "Modules"},
    {"--allow-nonfinite", "Modules"},
    {"--layout", "Output"},
    {"--checkpoint-format", "Output"},
    {"--max-shard-size", "Output"},
    {"--split-max-size", "Output"},
    {"--force", "Output"},
    {"--resume", "Output"},
    {"--restart", "Output"},
    {"--mix", "Types of a GGUF file"},
    {"--pure", "Types of a GGUF file"},
    {"--token-embedding-type", "Types of a GGUF file"},
    {"--output-tensor-type", "Types of a GGUF file"},
    {"--tensor-type", "Types of a GGUF file"},
    {"--compute", "Machine"},
    {"--memory", "Machine"}};

// Each option of methods and transforms, declared where it is read, with who reads it.
void declare_settings(CLI::App& app, QuantizeFlags& flags) {
  std::vector<const OptionSpec*> specs;
  std::map<std::string_view, std::vector<std::string>> readers;
  const auto add = [&](std::string_view reader, std::span<const OptionSpec* const> options) {
    for (const OptionSpec* spec : options) {
      if (!readers.contains(spec->name)) specs.push_back(spec);
      readers[spec->name].emplace_back(reader);
    }
  };
  for (const Method* method : methods::all()) add(method->name, method->options);
  for (const Transform* transform : transforms::all()) add(transform->name, transform->options);
  for (const OptionSpec* spec : specs)
    app.add_option_function<std::string>(
           cat("--", spec->name),
           [&flags, name = std::string(spec->name)](const std::string& value) {
             flags.settings[name] = value;
           },
           cat(spec->help, "; default: ", spec->initial, " (", join(readers[spec->name], ", "),
               ")"))
        ->type_name(spec->is_number() ? "NUMBER" : "WORD")
        ->group("Method and transforms");
}

}  // namespace

void declare(CLI::App& app, QuantizeFlags& flags) {
  app.add_option_function<std::string>(
      "--recipe", [&flags](const std::string& text) { flags.recipe = text; },  // "" says nothing
      "all choices in one line, \"awq | gptq int4:128 -> awq\": transforms, method, grid:group, "
      "layout or type; their options in parentheses");
  app.add_option("--method", flags.method, "how codes are chosen (nibble methods lists them)")
      ->default_str(QuantizeOptions().method);
  app.add_option("--bits", flags.bits, cat("--grid int<bits>: ", grid_widths()));
  app.add_option(
      "--grid", flags.grid,
      "values that weights may take (nibble formats lists them); default: the --type's, else int4");
  app.add_option("--group-size", flags.group_size,
                 "weights that share a scale; -1: a whole row; default: the largest usual one that "
                 "divides every row");
  // A bound variable would be set even where neither is given.
  app.add_flag_function(
      "--asym,!--sym", [&flags](std::int64_t count) { flags.asymmetric = count > 0; },
      "a zero point for each group instead of a symmetric grid");
  app.add_option("--transform", flags.transforms,
                 "rewrites the weights first (nibble methods lists them); may be repeated");
  declare_settings(app, flags);
  app.add_option(
      "--layout", flags.layout,
      "how the output stores codes (nibble formats lists them); default: gguf for NAME.gguf, "
      "else the first that holds the grid");
  app.add_option("--checkpoint-format,--type", flags.dialect,
                 "dialect of the layout: of gptq, gptq (v1, read by everything) or gptq_v2; of "
                 "gguf, the type of all layers, Q4_K, or one of llama.cpp's mixes, Q4_K_M");
  app.add_flag("--mix", flags.mix,
               "--type is llama.cpp's mix of that name, where a type has it, too: Q6_K");
  app.add_flag("--pure", flags.pure, "everything in one type, embedding and head included");
  app.add_option("--token-embedding-type", flags.embedding_type,
                 "type of the embedding; default: the mix's, else as it is");
  app.add_option("--output-tensor-type", flags.head_type,
                 "type of the head; default: the mix's, else as it is");
  app.add_option("--tensor-type", flags.tensor_types,
                 "REGEX=TYPE for tensors whose name it is found in, GGUF's or the model's; may be "
                 "repeated, first match wins");
  app.add_option("--skip", flags.skip, "leave modules whose name matches this regular expression");
  app.add_option("--override", flags.overrides,
                 "REGEX=[method/]grid[:group] for matching modules; first match wins");
  app.add_option("--calib", flags.calibration,
                 "calibration text, JSON lines or token windows; FILE:WEIGHT mixes several; "
                 "default: the model writes its own");
  const auto stats = app.add_option(
      "--stats", flags.statistics,
      "a file of nibble calibrate in place of a text: fast, but errors of layers that were "
      "quantized before are not seen");
  app.add_option("--imatrix", flags.imatrix,
                 "an imatrix of this model, nibble's or llama.cpp's: rounding weighs each input by "
                 "it; takes --method rtn unless another is named");
  app.add_option("--samples", flags.samples, "calibration windows")
      ->capture_default_str()
      ->excludes(stats);
  app.add_option("--seq-len", flags.seq_len,
                 "tokens in a window; default: 512, or the model's context")
      ->excludes(stats);
  app.add_option("--compute", flags.compute, "arithmetic: auto, f32 or bf16")
      ->capture_default_str();
  app.add_option(
      "--memory", flags.memory,
      "use at most this much memory, beside the program and mapped model files; activations go "
      "to disk when needed");
  app.add_option("--max-shard-size", flags.max_shard, "largest output file")->capture_default_str();
  app.add_option("--split-max-size", flags.max_part,
                 "of a GGUF file: several, NAME-00001-of-00003.gguf, with so many bytes of tensors "
                 "at most: 2G, 500M (llama-gguf-split's units)");
  app.add_flag("--allow-requantize", flags.allow_requantize,
               "quantize again what a GGUF file has in blocks already; loses more");
  app.add_flag("--allow-nonfinite", flags.allow_nonfinite,
               "leave tensors with NaN or infinities unquantized");
  app.add_flag("--force", flags.force, "replace an existing output");
  const auto resume = app.add_flag(
      "--resume", flags.resume,
      "go on with a job that was stopped, and refuse to begin anew (a long job goes on by itself "
      "from OUT.journal when it is given again)");
  app.add_flag("--restart", flags.restart, "begin anew, whatever OUT.journal holds")
      ->excludes(resume);
  for (const auto& [option, group] : kGroups) app.get_option(option)->group(group);
}

RecipeString said_by_recipe(const QuantizeFlags& flags) {
  RecipeString recipe = flags.recipe ? parse_recipe(*flags.recipe) : RecipeString();
  std::vector<std::string> typed;
  if (!flags.transforms.empty()) typed.emplace_back("--transform");
  if (!flags.method.empty()) typed.emplace_back("--method");
  if (!flags.grid.empty() || flags.bits) typed.emplace_back("--grid");
  if (!flags.group_size.empty()) typed.emplace_back("--group-size");
  if (!flags.layout.empty()) typed.emplace_back("--layout");
  if (!flags.dialect.empty()) typed.insert(typed.end(), {"--type", "--checkpoint-format"});
  if (flags.asymmetric) typed.emplace_back("--symmetry");
  for (const auto& setting : flags.settings) typed.push_back(cat("--", setting.first));
  for (const std::string& option : typed) recipe.places.erase(option);
  return recipe;
}

namespace {

// A method that was named has nothing to do where all weights stay plain numbers.
void refuse_method_of_plain(const QuantizeFlags& flags) {
  const bool plain = gguf_named_alike(flags.dialect, "F16") ||
                     gguf_named_alike(flags.dialect, "BF16") ||
                     gguf_named_alike(flags.dialect, "F32");
  if (!plain || flags.method.empty() || flags.method == "rtn" || !flags.tensor_types.empty())
    return;
  throw Error(ErrorKind::kInvalidArgument,
              cat("--method ", flags.method, " would not be read: weights stored as ",
                  flags.dialect, " are not quantized"),
              "leave it out, or choose another --type (nibble formats lists them)");
}

}  // namespace

QuantizeOptions options_of(const QuantizeFlags& given, std::uint64_t seed) {
  const QuantizeFlags flags = given.recipe ? with_recipe(given) : given;
  QuantizeOptions options;
  options.transforms = flags.transforms;
  for (const std::string& name : options.transforms) transforms::named(name);
  if (!flags.imatrix.empty()) options.method = "rtn";  // the others need more, or nothing
  if (!flags.method.empty()) options.method = flags.method;
  methods::named(options.method);
  refuse_method_of_plain(flags);
  if (flags.bits && !flags.grid.empty())
    throw Error(ErrorKind::kInvalidArgument, "--bits is short for a --grid; both were given");
  if (flags.bits) options.grid = grid_of_bits("--bits", *flags.bits).name;
  if (!flags.grid.empty()) options.grid = grid_named("--grid", flags.grid).name;
  if (!flags.group_size.empty()) options.group_size = parse_group("--group-size", flags.group_size);
  options.settings = flags.settings;
  if (flags.asymmetric) {
    if (options.settings.contains("symmetry"))
      throw Error(ErrorKind::kInvalidArgument,
                  "--symmetry says what --sym and --asym say; both were given");
    const auto scales = options.settings.find("scales");
    const bool textbook = scales != options.settings.end() && scales->second == "absmax";
    options.settings["symmetry"] = *flags.asymmetric ? "asymmetric" : textbook ? "plain" : "signed";
  }
  options.layout = flags.layout;
  options.dialect = flags.dialect;
  options.types = types_of(flags);
  options.skip = flags.skip;
  for (const std::string& text : flags.overrides) options.overrides.push_back(parse_override(text));
  for (const std::string& text : flags.calibration)
    options.calibration.sources.push_back(parse_source(text));
  options.statistics = flags.statistics;
  options.imatrix = flags.imatrix;
  options.calibration.samples = flags.samples;
  options.calibration.length = flags.seq_len;
  options.calibration.seed = seed;
  options.compute = parse_compute(flags.compute);
  if (options.compute != Compute::kFloat32 && options.compute != Compute::kBfloat16)
    throw Error(ErrorKind::kInvalidArgument,
                cat("--compute ", flags.compute, " would calibrate on rounded inputs"),
                "use auto, f32 or bf16");
  if (!flags.memory.empty()) options.memory_limit = parse_size("--memory", flags.memory);
  options.max_shard_bytes = parse_size("--max-shard-size", flags.max_shard);
  if (!flags.max_part.empty()) options.max_part_bytes = parse_part_size(flags.max_part);
  options.allow_requantize = flags.allow_requantize;
  options.allow_nonfinite = flags.allow_nonfinite;
  options.force = flags.force;
  if (flags.resume) options.resume = Resume::kRequired;
  if (flags.restart) options.resume = Resume::kNever;
  return options;
}

}  // namespace nibble::cli
