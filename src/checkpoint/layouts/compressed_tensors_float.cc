// Float codes in compressed-tensors checkpoints (float_codes.h). For a layer "m" with weight
// [out, in]:
//
//   float-quantized        m.weight        F8_E4M3 [out, in]
//                          m.weight_scale  [out, 1], or [⌈out/128⌉, ⌈in/128⌉] of blocks
//   mxfp4-pack-quantized   m.weight_packed U8 [out, in/2], the even column in the low nibble
//                          m.weight_scale  U8 [out, in/32], exponent + 127
//   nvfp4-pack-quantized   m.weight_packed as above
//                          m.weight_scale  F8_E4M3 [out, in/16]
//                          m.weight_global_scale  F32 [1], which scales are divided by
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/text.h"
#include "checkpoint/layouts/compressed_tensors.h"
#include "checkpoint/layouts/float_codes.h"
#include "nibble/error.h"

namespace nibble::layouts {
namespace {

using enum CompressedForm;

// The factor of NVFP4's scales. It only has to bring them into the range of 8-bit floats, and any
// power of two loses the same: this one fits nearly all models, and readers that fuse layers need
// it to be one for all.
constexpr float kUsualFactor = 1024;

float factor_for(std::span<const float> scales) {
  float largest = 0;
  for (const float scale : scales) largest = std::max(largest, std::fabs(scale));
  float factor = kUsualFactor;
  while (largest * factor > kLargestFloat8) factor /= 2;
  return factor;
}

// Scales as 8-bit floats of the file, none of them 0, and their factor behind them.
void quantize_scales(Codes& codes) {
  const float factor = factor_for(codes.scales);
  codes.stored_scales.resize(codes.scales.size() + sizeof factor);
  for (std::size_t i = 0; i < codes.scales.size(); ++i) {
    const std::uint8_t bits =
        std::max<std::uint8_t>(1, float_to_float8(std::fabs(codes.scales[i]) * factor));
    codes.stored_scales[i] = bits;
    codes.scales[i] = float8_to_float(bits) / factor;
  }
  std::memcpy(codes.stored_scales.data() + codes.scales.size(), &factor, sizeof factor);
}

// How scales of a grid may be typed in the file.
const TensorInfo& scales_of(const ModuleTensors& tensors, const Grid& grid) {
  constexpr std::string_view kScales = ".weight_scale";
  if (grid.name == "mxfp4") return tensors.at(kScales, {DType::kU8, DType::kF8E8M0});
  if (grid.name == "nvfp4") return tensors.at(kScales, {DType::kF8E4M3});
  return tensors.at(kScales, {DType::kF16, DType::kBF16, DType::kF32});
}

float global_scale(const ModuleTensors& tensors) {
  const auto bytes = tensors.bytes(".weight_global_scale", DType::kF32, {1});
  const auto factor = stored_value<float>(bytes.data(), 0);
  if (!std::isfinite(factor) || factor == 0)
    tensors.corrupt(cat("its weight_global_scale is ", factor));
  return factor;
}

}  // namespace

Storable float_storable(CompressedForm form, const CodeShape& shape,
                        const LayoutSettings& settings) {
  Storable storable;
  storable.scale_type = form == kMxfp4   ? DType::kF8E8M0
                        : form == kNvfp4 ? DType::kF32
                                         : float_type_of(settings.dtype);
  if (form == kNvfp4) storable.together = quantize_scales;
  if (form == kFloat8Blocks) {
    if (shape.group_size != kRowsOfBlock)
      throw Error(
          ErrorKind::kInvalidArgument,
          cat("blocks of fp8 are 128 weights wide; asked for are groups of ", shape.group_size),
          "leave --group-size out");
    storable.scale_rows = kRowsOfBlock;
    storable.together = share_scales_of_rows;
  }
  return storable;
}

double float_bits_per_weight(CompressedForm form, const CodeShape& shape,
                             const LayoutSettings& settings) {
  const auto group = static_cast<double>(shape.group_size);
  const double scale = form == kMxfp4 || form == kNvfp4 ? 8 : bits(float_type_of(settings.dtype));
  return shape.bits() + scale / (form == kFloat8Blocks ? group * kRowsOfBlock : group);
}

std::vector<TensorInfo> plan_floats(CompressedForm form, const std::string& module,
                                    const CodeShape& shape, const LayoutSettings& settings) {
  const bool wide = shape.bits() == 8;
  std::vector<TensorInfo> tensors;
  const auto add = [&](std::string_view suffix, DType type,
                       std::initializer_list<std::size_t> sizes) {
    tensors.push_back(planned(cat(module, suffix), type, sizes));
  };
  if (wide)
    add(".weight", DType::kF8E4M3, {shape.rows, shape.columns});
  else
    add(kPacked, DType::kU8, {shape.rows, shape.columns / 2});
  add(".weight_scale",
      form == kMxfp4   ? DType::kU8
      : form == kNvfp4 ? DType::kF8E4M3
                       : float_type_of(settings.dtype),
      {form == kFloat8Blocks ? blocks_of_rows(shape.rows) : shape.rows, shape.groups()});
  if (form == kNvfp4) add(".weight_global_scale", DType::kF32, {1});
  return tensors;
}

std::vector<std::vector<std::byte>> write_floats(CompressedForm form, const Codes& original,
                                                 const LayoutSettings& settings) {
  std::vector<std::vector<std::byte>> contents = {float_code_bytes(original)};
  if (form == kFloat8Blocks)
    contents.push_back(float_bytes(scales_of_rows(original), float_type_of(settings.dtype)));
  if (form == kFloat8)
    contents.push_back(float_bytes(original.scales, float_type_of(settings.dtype)));
  if (form == kMxfp4) {
    std::vector<std::uint8_t> exponents;
    for (const float scale : original.scales)
      exponents.push_back(static_cast<std::uint8_t>(std::ilogb(scale) + 127));
    contents.push_back(bytes_of(exponents));
  }
  if (form != kNvfp4) return contents;
  Codes made;
  if (original.stored_scales.empty()) quantize_scales(made = original);
  const Codes& codes = original.stored_scales.empty() ? made : original;
  const auto* from = reinterpret_cast<const std::byte*>(codes.stored_scales.data());
  const std::size_t count = codes.scales.size();
  contents.emplace_back(from, from + count);
  contents.emplace_back(from + count, from + count + sizeof(float));
  return contents;
}

std::unique_ptr<StoredCodes> open_floats(const CheckpointReader& reader,
                                         const CompressedScheme& scheme,
                                         const std::string& module) {
  const ModuleTensors tensors(reader, module);
  const Grid& grid = *scheme.settings.grid;
  const bool wide = grid.bits == 8;
  const std::string_view suffix = wide ? std::string_view(".weight") : kPacked;
  const DType type = wide ? DType::kF8E4M3 : DType::kU8;
  const auto [rows, stored] = tensors.matrix(suffix, type);
  const CodeShape shape = code_shape(rows, stored * (wide ? 1 : 2), scheme.settings);
  if (!wide && shape.columns % shape.group_size != 0)
    tensors.corrupt(cat("groups of ", shape.group_size, " do not divide rows of ", shape.columns));
  const TensorInfo& scales = scales_of(tensors, grid);
  FloatParts parts;
  parts.codes = tensors.bytes(suffix, type, {rows, stored});
  parts.scales = reader.bytes(scales);
  parts.scale_type = scales.dtype;
  if (scheme.rows_of_block != 0) parts.rows_together = scheme.rows_of_block;
  if (wide && parts.scales.size() * 8 == static_cast<std::size_t>(bits(scales.dtype)))
    parts.rows_together = rows;
  if (grid.name == "nvfp4") parts.divisor = global_scale(tensors);
  return float_codes(shape, module, scales, parts);
}

}  // namespace nibble::layouts
