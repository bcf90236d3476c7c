#include "cli/compute_options.h"

#include <cmath>
#include <optional>
#include <vector>

#include "base/number.h"
#include "base/text.h"
#include "nibble/error.h"
#include "nn/linear.h"

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
  throw Error(ErrorKind::kInvalidArgument,
              cat(option, " \"", text, "\" is not known", did_you_mean(text, names)),
              cat("one of: ", join(names, ", ")));
}

}  // namespace

std::uint64_t parse_size(const std::string& option, const std::string& text) {
  static const Names<double> kUnits = {
      {"", 1},          {"B", 1},    {"K", 1 << 10}, {"KiB", 1 << 10}, {"KB", 1e3}, {"M", 1 << 20},
      {"MiB", 1 << 20}, {"MB", 1e6}, {"G", 1 << 30}, {"GiB", 1 << 30}, {"GB", 1e9}};
  const auto unit_at = text.find_first_not_of("0123456789.");
  const auto value = parse_number(std::string_view(text).substr(0, unit_at));
  const std::string unit = unit_at == text.npos ? "" : text.substr(unit_at);
  for (const auto& [name, factor] : kUnits)
    if (name == unit && value && *value > 0 && *value * factor < 1e18)
      return static_cast<std::uint64_t>(*value * factor);
  throw Error(ErrorKind::kInvalidArgument, cat(option, " \"", text, "\" is not a size"),
              "write for example 2GiB, 5GB or 512M");
}

std::uint64_t parse_part_size(const std::string& text) {
  const bool bare = text.ends_with('M') || text.ends_with('G');
  return parse_size("--split-max-size", bare ? text + "B" : text);
}

Compute parse_compute(const std::string& text) {
  return named<Compute>("--compute", text,
                        {{"auto", float_compute()},
                         {"f32", Compute::kFloat32},
                         {"bf16", Compute::kBfloat16},
                         {"int8", Compute::kInt8},
                         {"llm.int8", Compute::kLlmInt8}});
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
    case Compute::kLlmInt8:
      return "llm.int8";
  }
  return "";
}

}  // namespace nibble::cli
