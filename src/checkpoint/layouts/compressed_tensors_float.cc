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

std::int64_t blocks_of(std::size_t rows) {
  return static_cast<std::int64_t>((rows + kRowsOfBlock - 1) / kRowsOfBlock);
}

class Reading {
 public:
  Reading(const CheckpointReader& reader, const CompressedScheme& scheme, const std::string& module)
      : reader_(reader), scheme_(scheme), module_(module) {}

  std::unique_ptr<StoredCodes> codes() const {
    const Grid& grid = *scheme_.settings.grid;
    const bool wide = grid.bits == 8;
    const TensorInfo& codes =
        matrix(wide ? ".weight" : kPacked, wide ? DType::kF8E4M3 : DType::kU8);
    const auto rows = static_cast<std::size_t>(codes.shape[0]);
    const CodeShape shape = code_shape(
        rows, static_cast<std::size_t>(codes.shape[1]) * (wide ? 1 : 2), scheme_.settings);
    if (!wide && shape.columns % shape.group_size != 0)
      corrupt(cat(codes.name, " has rows of ", shape.columns, " weights, which groups of ",
                  shape.group_size, " do not divide"));
    FloatParts parts;
    parts.module = module_;
    parts.codes = bytes(codes);
    const TensorInfo& scales = reader_.at(module_ + ".weight_scale");
    parts.scales = bytes(scales);
    parts.scale_type = scale_type(scales);
    parts.rows_together = scheme_.rows_of_block == 0 ? 1 : scheme_.rows_of_block;
    std::int64_t count = 1;
    for (const std::int64_t size : scales.shape) count *= size;
    if (wide && count == 1) parts.rows_together = rows;
    const std::size_t wanted =
        (rows + parts.rows_together - 1) / parts.rows_together * shape.groups();
    if (count != static_cast<std::int64_t>(wanted))
      corrupt(cat(scales.name, " has shape ", list_text(scales.shape), "; expected ", wanted,
                  " scales"));
    if (grid.name == "nvfp4") parts.divisor = global_scale();
    require_finite(parts, scales.name);
    return float_codes(shape, std::move(parts));
  }

 private:
  [[noreturn]] void corrupt(const std::string& what) const {
    throw Error(ErrorKind::kCorruptFile, cat("module \"", module_, "\": ", what));
  }

  const TensorInfo& matrix(std::string_view suffix, DType type) const {
    const TensorInfo& info = reader_.at(cat(module_, suffix));
    if (info.dtype != type || info.shape.size() != 2 || info.shape[0] < 1 || info.shape[1] < 1)
      corrupt(cat(info.name, " is not a matrix of ", name(type)));
    return info;
  }

  std::span<const std::byte> bytes(const TensorInfo& info) const {
    std::size_t size = static_cast<std::size_t>(bits(info.dtype)) / 8;
    for (const std::int64_t side : info.shape) size *= static_cast<std::size_t>(side);
    const auto found = reader_.bytes(info);
    if (found.size() != size)
      corrupt(cat(info.name, " has ", found.size(), " bytes; expected ", size));
    return found;
  }

  DType scale_type(const TensorInfo& scales) const {
    const std::string_view grid = scheme_.settings.grid->name;
    const DType type = scales.dtype;
    const bool fits = grid == "mxfp4" ? type == DType::kU8 || type == DType::kF8E8M0
                      : grid == "nvfp4"
                          ? type == DType::kF8E4M3
                          : type == DType::kF16 || type == DType::kBF16 || type == DType::kF32;
    if (!fits)
      corrupt(
          cat(scales.name, " has type ", name(type), ", which scales of ", grid, " do not have"));
    return grid == "mxfp4" ? DType::kF8E8M0 : type;
  }

  float global_scale() const {
    const TensorInfo& info = reader_.at(module_ + ".weight_global_scale");
    if (info.dtype != DType::kF32 || info.bytes != 4)
      corrupt(cat(info.name, " is not one number of type F32"));
    const auto factor = stored_value<float>(bytes(info).data(), 0);
    if (!std::isfinite(factor) || factor == 0) corrupt(cat(info.name, " is ", factor));
    return factor;
  }

  const CheckpointReader& reader_;
  const CompressedScheme& scheme_;
  const std::string& module_;
};

}  // namespace

Storable float_storable(CompressedForm form, const CodeShape& shape,
                        const LayoutSettings& settings) {
  Storable storable;
  storable.scale_type = form == kMxfp4   ? DType::kF8E8M0
                        : form == kNvfp4 ? DType::kF32
                                         : compressed_scale_type(settings);
  if (form == kNvfp4) storable.together = quantize_scales;
  if (form == kFloat8Blocks) {
    if (shape.group_size != kRowsOfBlock)
      throw Error(
          ErrorKind::kInvalidArgument,
          cat("blocks of fp8 are 128 weights wide; asked for are groups of ", shape.group_size),
          "leave --group-size out");
    storable.together = share_scales_of_rows;
  }
  return storable;
}

double float_bits_per_weight(CompressedForm form, const CodeShape& shape,
                             const LayoutSettings& settings) {
  const auto group = static_cast<double>(shape.group_size);
  const double scale = form == kMxfp4 || form == kNvfp4 ? 8 : bits(compressed_scale_type(settings));
  return shape.bits() + scale / (form == kFloat8Blocks ? group * kRowsOfBlock : group);
}

std::vector<TensorInfo> plan_floats(CompressedForm form, const std::string& module,
                                    const CodeShape& shape, const LayoutSettings& settings) {
  const auto outputs = static_cast<std::int64_t>(shape.rows);
  const auto inputs = static_cast<std::int64_t>(shape.columns);
  const auto groups = static_cast<std::int64_t>(shape.groups());
  const bool wide = shape.bits() == 8;
  std::vector<TensorInfo> tensors;
  const auto add = [&](std::string_view suffix, DType type, std::vector<std::int64_t> sizes) {
    tensors.push_back(compressed_tensor(module, suffix, type, std::move(sizes)));
  };
  if (wide)
    add(".weight", DType::kF8E4M3, {outputs, inputs});
  else
    add(kPacked, DType::kU8, {outputs, inputs / 2});
  add(".weight_scale",
      form == kMxfp4   ? DType::kU8
      : form == kNvfp4 ? DType::kF8E4M3
                       : compressed_scale_type(settings),
      {form == kFloat8Blocks ? blocks_of(shape.rows) : outputs, groups});
  if (form == kNvfp4) add(".weight_global_scale", DType::kF32, {1});
  return tensors;
}

std::vector<std::vector<std::byte>> write_floats(CompressedForm form, const Codes& original,
                                                 const LayoutSettings& settings) {
  std::vector<std::vector<std::byte>> contents = {float_code_bytes(original)};
  if (form == kFloat8Blocks)
    contents.push_back(scale_bytes(scales_of_rows(original), compressed_scale_type(settings)));
  if (form == kFloat8)
    contents.push_back(scale_bytes(original.scales, compressed_scale_type(settings)));
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
  return Reading(reader, scheme, module).codes();
}

}  // namespace nibble::layouts
