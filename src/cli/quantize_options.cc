#include "cli/quantize_options.h"

#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <optional>

#include "base/text.h"
#include "kernels/kernels.h"
#include "nibble/error.h"

namespace nibble::cli {
namespace {

template <typename Value>
using Names = std::vector<std::pair<std::string, Value>>;

template <typename Value>
Value named(const std::string& option, const std::string& text, const Names<Value>& known) {
  std::vector<std::string> names;
  for (const auto& [name, value] : known) {
    if (name == text) return value;
    names.push_back(name);
  }
  const std::string near = nearest_name(text, names);
  throw Error(ErrorKind::kInvalidArgument,
              cat(option, " \"", text, "\" is not known",
                  near.empty() ? "" : cat("; did you mean ", near, "?")),
              cat("one of: ", join(names, ", ")));
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

std::size_t parse_group(const std::string& option, const std::string& text) {
  const auto value = number(text);
  if (!value || *value != std::floor(*value) || *value == 0 || *value < -1 || *value > 1 << 24)
    throw Error(ErrorKind::kInvalidArgument, cat(option, " \"", text, "\" is not a group size"),
                "a number of columns such as 128, or -1 for one group in each row");
  return *value < 0 ? 0 : static_cast<std::size_t>(*value);
}

int parse_bits(const std::string& option, double value) {
  if (value != 2 && value != 3 && value != 4 && value != 8)
    throw Error(ErrorKind::kInvalidArgument, cat(option, ": ", value, " bits are not supported"),
                "use 2, 3, 4 or 8");
  return static_cast<int>(value);
}

Override parse_override(const std::string& text) {
  const auto equals = text.rfind('=');
  const auto colon = text.rfind(':');
  if (equals == text.npos || equals == 0)
    throw Error(ErrorKind::kInvalidArgument, cat("--override \"", text, "\" has no \"=\""),
                "write REGEX=bits:group, for example 'down_proj=8:128'");
  const bool has_group = colon != text.npos && colon > equals;
  const std::string bits = text.substr(equals + 1, (has_group ? colon : text.size()) - equals - 1);
  Override rule;
  rule.pattern = text.substr(0, equals);
  rule.settings.bits = parse_bits("--override", number(bits).value_or(0));
  rule.settings.group_size = has_group ? parse_group("--override", text.substr(colon + 1)) : 128;
  return rule;
}

// A trailing ":2.5" is a weight unless the whole text is the name of a file.
CalibrationSource parse_source(const std::string& text) {
  const auto colon = text.rfind(':');
  if (std::filesystem::exists(text) || colon == text.npos) return {text, 1};
  const auto weight = number(text.substr(colon + 1));
  if (!weight) return {text, 1};
  if (*weight <= 0)
    throw Error(ErrorKind::kInvalidArgument,
                cat("--calib \"", text, "\": the weight must be positive"));
  return {text.substr(0, colon), *weight};
}

// Where --help shows what is no everyday choice.
void group_options(CLI::App& app) {
  static constexpr std::array<std::pair<const char*, const char*>, 15> kGroups = {
      {{"--samples", "Calibration"},
       {"--seq-len", "Calibration"},
       {"--scales", "Method"},
       {"--act-order", "Method"},
       {"--damping", "Method"},
       {"--drift-correction", "Method"},
       {"--drift-samples", "Method"},
       {"--skip", "Modules"},
       {"--override", "Modules"},
       {"--allow-nonfinite", "Modules"},
       {"--checkpoint-format", "Output"},
       {"--max-shard-size", "Output"},
       {"--force", "Output"},
       {"--compute", "Machine"},
       {"--memory", "Machine"}}};
  for (const auto& [option, group] : kGroups) app.get_option(option)->group(group);
}

}  // namespace

std::uint64_t parse_size(const std::string& option, const std::string& text) {
  static const Names<double> kUnits = {
      {"", 1},          {"B", 1},    {"K", 1 << 10}, {"KiB", 1 << 10}, {"KB", 1e3}, {"M", 1 << 20},
      {"MiB", 1 << 20}, {"MB", 1e6}, {"G", 1 << 30}, {"GiB", 1 << 30}, {"GB", 1e9}};
  const auto unit_at = text.find_first_not_of("0123456789.");
  const auto value = number(std::string_view(text).substr(0, unit_at));
  const std::string unit = unit_at == text.npos ? "" : text.substr(unit_at);
  for (const auto& [name, factor] : kUnits)
    if (name == unit && value && *value > 0 && *value * factor < 1e18)
      return static_cast<std::uint64_t>(*value * factor);
  throw Error(ErrorKind::kInvalidArgument, cat(option, " \"", text, "\" is not a size"),
              "write for example 2GiB, 5GB or 512M");
}

Compute parse_compute(const std::string& text) {
  return named<Compute>("--compute", text,
                        {{"auto", float_compute()},
                         {"f32", Compute::kFloat32},
                         {"bf16", Compute::kBfloat16},
                         {"int8", Compute::kInt8}});
}

KvType parse_kv(const std::string& text, Compute compute) {
  return named<KvType>("--kv", text,
                       {{"auto", kv_type_for(compute)},
                        {"f32", KvType::kFloat32},
                        {"f16", KvType::kFloat16},
                        {"bf16", KvType::kBfloat16},
                        {"q8_0", KvType::kQ8_0}});
}

std::string_view name_of(Compute compute) {
  switch (compute) {
    case Compute::kFloat32:
      return "f32";
    case Compute::kBfloat16:
      return "bf16";
    case Compute::kInt8:
      return "int8";
  }
  return "";
}

void declare(CLI::App& app, QuantizeFlags& flags) {
  app.add_option("--method", flags.method, "how codes are chosen (nibble methods lists them)")
      ->capture_default_str();
  app.add_option("--bits", flags.bits, "bits of a code: 2, 3, 4 or 8")->capture_default_str();
  app.add_option("--group-size", flags.group_size,
                 "weights that share a scale; -1: a whole row; default: the largest of 128, 64, 32 "
                 "that divides every row");
  app.add_flag("--asym,!--sym", flags.asymmetric,
               "a zero point for each group instead of a symmetric grid");
  app.add_option("--grid", flags.grid, "symmetric grid: plain, full-range or signed");
  app.add_option("--scales", flags.scales, "scale search: absmax, mse or weighted")
      ->capture_default_str();
  app.add_option("--act-order", flags.act_order, "column order: none, static, gidx or group-aware")
      ->capture_default_str();
  app.add_option("--damping", flags.damping, "share of the mean diagonal added to the Hessian")
      ->capture_default_str();
  app.add_option("--drift-correction", flags.drift_correction,
                 "share of what earlier layers lost that a layer's weights make up for, 0 to 1; "
                 "default: 0.3, with --scales absmax 0");
  app.add_option("--drift-samples", flags.drift_samples,
                 "windows that show what earlier layers lost; default: half of --samples")
      ->check(CLI::PositiveNumber);
  app.add_option("--checkpoint-format", flags.format, "gptq (v1, read by everything) or gptq_v2")
      ->capture_default_str();
  app.add_option("--skip", flags.skip, "leave modules whose name matches this regular expression");
  app.add_option("--override", flags.overrides,
                 "REGEX=bits:group for matching modules; first match wins");
  app.add_option("--calib", flags.calibration,
                 "calibration text, JSON lines or token windows; FILE:WEIGHT mixes several; "
                 "default: the model writes its own");
  app.add_option("--samples", flags.samples, "calibration windows")->capture_default_str();
  app.add_option("--seq-len", flags.seq_len,
                 "tokens in a window; default: 512, or the model's context");
  app.add_option("--compute", flags.compute, "arithmetic: auto, f32 or bf16")
      ->capture_default_str();
  app.add_option("--memory", flags.memory,
                 "use at most this much memory; activations go to disk when needed");
  app.add_option("--max-shard-size", flags.max_shard, "largest output file")->capture_default_str();
  app.add_flag("--allow-nonfinite", flags.allow_nonfinite,
               "leave tensors with NaN or infinities unquantized");
  app.add_flag("--force", flags.force, "replace an existing output");
  group_options(app);
}

QuantizeOptions options_of(const QuantizeFlags& flags, std::uint64_t seed) {
  QuantizeOptions options;
  options.method = flags.method;
  methods::named(options.method);
  options.bits = parse_bits("--bits", flags.bits);
  if (!flags.group_size.empty()) options.group_size = parse_group("--group-size", flags.group_size);
  options.symmetric = !flags.asymmetric;
  if (!flags.grid.empty()) {
    if (flags.asymmetric)
      throw Error(ErrorKind::kInvalidArgument,
                  "--grid chooses among symmetric grids; --asym asks for none");
    options.symmetric_grid = named<Symmetry>("--grid", flags.grid,
                                             {{"plain", Symmetry::kPlain},
                                              {"full-range", Symmetry::kFullRange},
                                              {"signed", Symmetry::kSigned}});
  }
  options.method_options.scales = named<ScaleSearch>("--scales", flags.scales,
                                                     {{"absmax", ScaleSearch::kAbsMax},
                                                      {"mse", ScaleSearch::kMse},
                                                      {"weighted", ScaleSearch::kWeighted}});
  options.method_options.order = named<ColumnOrder>("--act-order", flags.act_order,
                                                    {{"none", ColumnOrder::kNone},
                                                     {"static", ColumnOrder::kStatic},
                                                     {"gidx", ColumnOrder::kGroupIndex},
                                                     {"group-aware", ColumnOrder::kGroupAware}});
  if (!(flags.damping >= 0 && flags.damping <= 10))
    throw Error(ErrorKind::kInvalidArgument,
                cat("--damping ", flags.damping, " is not between 0 and 10"));
  options.method_options.damping = flags.damping;
  if (flags.drift_correction && !(*flags.drift_correction >= 0 && *flags.drift_correction <= 1))
    throw Error(ErrorKind::kInvalidArgument,
                cat("--drift-correction ", *flags.drift_correction, " is not between 0 and 1"));
  options.drift_correction = flags.drift_correction;
  options.drift_samples = flags.drift_samples;
  options.variant = named<std::string>("--checkpoint-format", flags.format,
                                       {{"gptq", "gptq"}, {"gptq_v2", "gptq_v2"}});
  options.skip = flags.skip;
  for (const std::string& text : flags.overrides) options.overrides.push_back(parse_override(text));
  for (const std::string& text : flags.calibration)
    options.calibration.sources.push_back(parse_source(text));
  options.calibration.samples = flags.samples;
  options.calibration.length = flags.seq_len;
  options.calibration.seed = seed;
  options.compute = parse_compute(flags.compute);
  if (options.compute == Compute::kInt8)
    throw Error(ErrorKind::kInvalidArgument, "--compute int8 would calibrate on rounded inputs",
                "use auto, f32 or bf16");
  if (!flags.memory.empty()) options.memory_limit = parse_size("--memory", flags.memory);
  options.max_shard_bytes = parse_size("--max-shard-size", flags.max_shard);
  options.allow_nonfinite = flags.allow_nonfinite;
  options.force = flags.force;
  return options;
}

}  // namespace nibble::cli
