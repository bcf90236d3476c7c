// The layouts that list.def names.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "checkpoint/foreign.h"
#include "checkpoint/layout.h"
#include "formats/float8.h"
#include "nibble/error.h"
#include "tensor/half.h"

namespace nibble::layouts {

#define LAYOUT(name) extern const Layout name;
#include "checkpoint/layouts/list.def"
#undef LAYOUT

std::span<const Layout* const> all() {
  static const Layout* const list[] = {
#define LAYOUT(name) &name,
#include "checkpoint/layouts/list.def"
#undef LAYOUT
  };
  return list;
}

namespace {

// Types are written in capitals by some and not by others.
bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    const auto small = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return small(x) == small(y);
  });
}

}  // namespace

const Layout& named(std::string_view wanted) {
  std::vector<std::string> known;
  for (const Layout* layout : all()) {
    if (layout->name == wanted) return *layout;
    known.emplace_back(layout->name);
  }
  throw Error(ErrorKind::kInvalidArgument, cat("unknown layout \"", wanted, "\""),
              cat("one of: ", join(known, ", ")));
}

std::vector<std::string> dialects_for(const Layout& layout, const Grid& grid) {
  std::vector<std::string> own, any;
  for (const std::string_view dialect : layout.dialects) {
    const std::string_view stands_for = layout.grid_of != nullptr ? layout.grid_of(dialect) : "";
    if (stands_for == grid.name) own.emplace_back(dialect);
    if (stands_for.empty() || stands_for == grid.name) any.emplace_back(dialect);
  }
  // Dialects for any grid are for uniform ones, where another stands for this codebook.
  return own.empty() || grid.uniform() ? any : own;
}

std::string dialect_of(const Layout& layout, std::string_view wanted) {
  if (wanted.empty())
    return layout.dialects.empty() ? std::string() : std::string(layout.dialects.front());
  for (const std::string_view dialect : layout.dialects)
    if (same_word(dialect, wanted)) return std::string(dialect);
  const std::vector<std::string> known(layout.dialects.begin(), layout.dialects.end());
  throw Error(ErrorKind::kInvalidArgument,
              cat("layout ", layout.name, " has no dialect \"", wanted, "\""),
              known.empty() ? std::string("leave --checkpoint-format out")
                            : cat("one of: ", join(known, ", ")));
}

const Layout* writing(const std::filesystem::path& target) {
  for (const Layout* layout : all())
    if (!layout->suffix.empty() && same_word(target.extension().string(), layout->suffix))
      return layout;
  return nullptr;
}

const Layout* with_dialect(std::string_view dialect) {
  for (const Layout* layout : all())
    for (const std::string_view own : layout->dialects)
      if (same_word(own, dialect)) return layout;
  return nullptr;
}

const Layout* claiming(const Json& config) {
  const auto found = config.find("quantization_config");
  if (found == config.end() || found->is_null()) return nullptr;
  for (const Layout* layout : all())
    if (layout->claims != nullptr && layout->claims(*found)) return layout;
  refuse_foreign_quantization(*found);
}

Json with_side_config(Json config, const std::filesystem::path& folder,
                      const CheckpointReader& reader) {
  if (!config.is_object()) return config;
  if (const auto own = config.find("quantization_config"); own != config.end() && !own->is_null())
    return config;
  for (const Layout* layout : all())
    if (const auto other = config.find(layout->config_key);
        !layout->config_key.empty() && other != config.end() && other->is_object() &&
        layout->claims(*other)) {
      config["quantization_config"] = *other;
      return config;
    }
  for (const Layout* layout : all())
    if (layout->recognises != nullptr && layout->recognises(reader)) {
      config["quantization_config"] = {{"quant_method", layout->name}};
      return config;
    }
  const Layout* first = nullptr;
  for (const Layout* layout : all()) {
    const auto tensors = reader.tensors();
    if (layout->side_config.empty() ||
        std::none_of(tensors.begin(), tensors.end(),
                     [&](const TensorInfo& info) { return layout->module_of(info).has_value(); }))
      continue;
    if (first == nullptr) first = layout;
    const std::filesystem::path file = folder / layout->side_config;
    std::error_code ignored;
    if (!std::filesystem::exists(file, ignored)) continue;
    Json side = read_json(file, 16u << 20);
    if (!side.is_object())
      throw Error(ErrorKind::kCorruptFile, cat(file.string(), ": is not an object"));
    // Tensors of both are called alike.
    const bool of_awq = side.contains("w_bit") || side.contains("zero_point");
    if (!side.contains("quant_method")) side["quant_method"] = of_awq ? "awq" : layout->name;
    config["quantization_config"] = std::move(side);
    return config;
  }
  if (first != nullptr)
    throw Error(ErrorKind::kCorruptFile,
                cat(folder.string(), ": has packed weights, but neither config.json nor ",
                    first->side_config, " says how they were packed"),
                cat("download ", first->side_config, " too"));
  return config;
}

}  // namespace nibble::layouts

namespace nibble {

float Storable::nearest_scale(float scale) const {
  if (scale_type == DType::kF8E8M0) {  // powers of two, without a sign
    const float size = std::clamp(std::fabs(scale), 0x1p-126f, 0x1p126f);
    int exponent = 0;
    const float fraction = std::frexp(size, &exponent);  // 0.5 … 1
    // Where 4-bit floats then reach from their largest binade to the next: OCP's rule.
    return std::ldexp(fraction < 2.0f / 3 ? 0.5f : 1.0f, exponent);
  }
  if (scale_type == DType::kF8E4M3)  // without a sign too
    return float8_to_float(std::max<std::uint8_t>(1, float_to_float8(std::fabs(scale))));
  const bool half = scale_type == DType::kF16;
  const float smallest = half ? 0x1p-24f : 0x1p-120f, largest = half ? 65504 : 0x1p120f;
  scale = std::copysign(std::clamp(std::fabs(scale), smallest, largest), scale);
  if (half) return half_to_float(float_to_half(scale));
  return scale_type == DType::kBF16 ? bfloat16_to_float(float_to_bfloat16(scale)) : scale;
}

float Storable::nearest_zero(float zero) const {
  if (integer_zeros) return std::nearbyint(zero);
  if (zero_type == DType::kF16) return half_to_float(float_to_half(zero));
  return zero_type == DType::kBF16 ? bfloat16_to_float(float_to_bfloat16(zero)) : zero;
}

CodeShape code_shape(std::size_t rows, std::size_t columns, const ModuleSettings& settings) {
  CodeShape shape;
  shape.grid = settings.grid;
  shape.rows = rows;
  shape.columns = columns;
  shape.group_size = settings.group_size == 0 ? columns : settings.group_size;
  return shape;
}

}  // namespace nibble
