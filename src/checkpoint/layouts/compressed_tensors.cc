// compressed-tensors checkpoints as llm-compressor writes them and vLLM and transformers read them.
// For a layer "m" with weight [out, in], b bits and G groups of columns:
//
//   pack-quantized
//     m.weight_packed      I32 [out, in·b/32]  codes, a dense stream along each row
//                                              (formats/bitstream.h)
//     m.weight_scale       [out, G]            of the type of the model's weights
//     m.weight_zero_point  I32 [out·b/32, G]   zeros, a dense stream along `out`; asymmetric only
//     m.weight_shape       I64 [2]             out, in
//   int-quantized: readers round the inputs of each token to 8 bits and multiply integers
//     m.weight             I8 [out, in]        codes less the middle of their grid
//     m.weight_scale       as above
//     m.weight_zero_point  I8 [out, G]         zeros less the middle; asymmetric only
//   forms of floats: compressed_tensors_float.cc
//
//   weight[o, i] = scale[o, g] · (code − zero[o, g]); the zero of symmetric grids is the middle.
//
// Here they are written; compressed_tensors_open.cc reads them.
#include "checkpoint/layouts/compressed_tensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "checkpoint/layouts/float_codes.h"
#include "checkpoint/layouts/module_tensors.h"
#include "formats/bitstream.h"
#include "nibble/error.h"
#include "tensor/half.h"

namespace nibble::layouts {
namespace {

using enum CompressedForm;

constexpr std::array<std::string_view, 6> kDialects = {
    "pack-quantized", "int-quantized",        "float-quantized",
    "float-blocks",   "mxfp4-pack-quantized", "nvfp4-pack-quantized"};
constexpr std::array<std::string_view, 6> kGridOf = {"", "int8", "fp8", "fp8", "mxfp4", "nvfp4"};
constexpr std::array<std::size_t, 3> kUsualGroups = {128, 64, 32};
constexpr std::array<std::size_t, 1> kBlockGroups = {128}, kMxfp4Groups = {32}, kNvfp4Groups = {16};

std::string_view grid_of(std::string_view dialect) {
  const auto at = std::find(kDialects.begin(), kDialects.end(), dialect) - kDialects.begin();
  return kGridOf.at(static_cast<std::size_t>(at));
}

std::span<const std::size_t> usual_groups(const Grid& grid, std::string_view dialect) {
  switch (compressed_form(grid, dialect)) {
    case kWords:
      return kUsualGroups;
    case kFloat8Blocks:
      return kBlockGroups;
    case kMxfp4:
      return kMxfp4Groups;
    case kNvfp4:
      return kNvfp4Groups;
    case kBytes:
    case kFloat8:
      break;
  }
  return {};  // products of bytes have one scale for each row
}

bool short_groups(const Grid& grid, std::string_view dialect) {
  return compressed_form(grid, dialect) == kFloat8Blocks;
}

std::string refusal(const CodeShape& shape) {
  const Grid& grid = *shape.grid;
  if (grids::find(grid.name) != &grid || (!grid.uniform() && !is_float_grid(grid)))
    return cat(
        "compressed-tensors files hold integer codes of 2 to 6 and 8 bits, fp8, mxfp4 and "
        "nvfp4, not ",
        grid.name);
  const CompressedForm form = compressed_form(grid, "");
  const std::size_t own = form == kMxfp4 ? 32 : form == kNvfp4 ? 16 : 0;
  if (own != 0 && (shape.group_size != own || shape.columns % own != 0))
    return cat("codes of ", grid.name, " lie in groups of ", own, "; asked for are groups of ",
               shape.group_size, " in rows of ", shape.columns);
  // Of fp8 the last block of a row may be cut short.
  if (shape.columns % shape.group_size != 0 && (form != kFloat8 || shape.group_size != 128))
    return cat("groups of ", shape.group_size, " do not divide rows of ", shape.columns);
  return {};
}

Storable storable(const CodeShape& shape, const LayoutSettings& settings) {
  const CompressedForm form = compressed_form(*shape.grid, settings.dialect);
  if (is_float_form(form)) return float_storable(form, shape, settings);
  Storable storable;
  storable.scale_type = float_type_of(settings.dtype);
  return storable;
}

double bits_per_weight(const CodeShape& shape, const LayoutSettings& settings) {
  const CompressedForm form = compressed_form(*shape.grid, settings.dialect);
  if (is_float_form(form)) return float_bits_per_weight(form, shape, settings);
  const double width = form == kBytes ? 8 : shape.bits();
  const double zero = settings.symmetric ? 0 : width;
  return width +
         (bits(float_type_of(settings.dtype)) + zero) / static_cast<double>(shape.group_size);
}

std::optional<std::string> module_of(const TensorInfo& tensor) {
  constexpr std::string_view kWeight = ".weight";
  if (auto module = module_of_suffix(tensor, kPacked)) return module;
  return is_byte_weight(tensor) ? module_of_suffix(tensor, kWeight) : std::nullopt;
}

std::vector<TensorInfo> plan(const std::string& module, const CodeShape& shape,
                             const LayoutSettings& settings) {
  const CompressedForm form = compressed_form(*shape.grid, settings.dialect);
  if (is_float_form(form)) return plan_floats(form, module, shape, settings);
  const auto words = [&](std::size_t codes) {
    return (codes * static_cast<std::size_t>(shape.bits()) + 31) / 32;
  };
  std::vector<TensorInfo> tensors;
  const auto add = [&](std::string_view suffix, DType type,
                       std::initializer_list<std::size_t> sizes) {
    tensors.push_back(planned(cat(module, suffix), type, sizes));
  };
  const bool bytes = form == kBytes;
  if (bytes)
    add(".weight", DType::kI8, {shape.rows, shape.columns});
  else
    add(kPacked, DType::kI32, {shape.rows, words(shape.columns)});
  add(".weight_scale", float_type_of(settings.dtype), {shape.rows, shape.groups()});
  if (!settings.symmetric)
    add(".weight_zero_point", bytes ? DType::kI8 : DType::kI32,
        {bytes ? shape.rows : words(shape.rows), shape.groups()});
  if (!bytes) add(".weight_shape", DType::kI64, {2});
  return tensors;
}

// Codes as one stream; its last word may be filled with 0.
std::vector<std::uint32_t> packed(std::span<const std::uint8_t> codes, int bits) {
  const auto width = static_cast<std::size_t>(bits);
  std::vector<std::uint32_t> words((codes.size() + 31) / 32 * width);
  for (std::size_t first = 0; first < codes.size(); first += 32) {
    std::uint8_t block[32] = {};
    std::memcpy(block, codes.data() + first, std::min<std::size_t>(32, codes.size() - first));
    pack_32(block, bits, std::span(words).subspan(first / 32 * width, width));
  }
  words.resize((codes.size() * width + 31) / 32);
  return words;
}

std::vector<std::byte> code_bytes(const Codes& codes, bool as_bytes) {
  if (as_bytes) {
    std::vector<std::uint8_t> values = codes.codes;
    for (std::uint8_t& value : values)
      value = static_cast<std::uint8_t>(value - (1 << (codes.bits() - 1)));
    return bytes_of(values);
  }
  std::vector<std::uint32_t> words;
  for (std::size_t o = 0; o < codes.rows; ++o) {
    const auto row = packed(codes.row(o), codes.bits());
    words.insert(words.end(), row.begin(), row.end());
  }
  return bytes_of(words);
}

// The zeros as codes, of which they have the range. [rows, groups]
std::vector<std::uint8_t> zeros_of(const std::string& module, const Codes& codes, bool symmetric) {
  std::vector<std::uint8_t> zeros;
  const float middle = static_cast<float>(1 << (codes.bits() - 1));
  for (const float zero : codes.zeros) {
    const bool whole = zero >= 0 && zero < 2 * middle && zero == static_cast<float>(int(zero));
    if (!whole || (symmetric && zero != middle))
      throw Error(ErrorKind::kInvalidArgument,
                  cat("module \"", module, "\": zero ", zero, " cannot be stored: ",
                      symmetric ? cat("that of a symmetric grid is ", middle)
                                : "zeros of compressed-tensors files are codes"));
    zeros.push_back(static_cast<std::uint8_t>(zero));
  }
  return zeros;
}

std::vector<std::byte> zero_bytes(const Codes& codes, std::vector<std::uint8_t> zeros,
                                  bool as_bytes) {
  if (as_bytes) {
    for (std::uint8_t& zero : zeros)
      zero = static_cast<std::uint8_t>(zero - (1 << (codes.bits() - 1)));
    return bytes_of(zeros);
  }
  const std::size_t groups = codes.groups();
  const std::size_t per_group = (codes.rows * static_cast<std::size_t>(codes.bits()) + 31) / 32;
  std::vector<std::uint32_t> words(per_group * groups);
  std::vector<std::uint8_t> column(codes.rows);
  for (std::size_t g = 0; g < groups; ++g) {
    for (std::size_t o = 0; o < codes.rows; ++o) column[o] = zeros[o * groups + g];
    const auto stream = packed(column, codes.bits());
    for (std::size_t k = 0; k < per_group; ++k) words[k * groups + g] = stream[k];
  }
  return bytes_of(words);
}

std::vector<NamedBytes> write(const std::string& module, const Codes& codes,
                              const LayoutSettings& settings) {
  const CompressedForm form = compressed_form(*codes.grid, settings.dialect);
  std::vector<std::vector<std::byte>> contents;
  if (is_float_form(form)) {
    contents = write_floats(form, codes, settings);
  } else {
    const bool as_bytes = form == kBytes;
    auto zeros = zeros_of(module, codes, settings.symmetric);
    contents.push_back(code_bytes(codes, as_bytes));
    contents.push_back(float_bytes(codes.scales, float_type_of(settings.dtype)));
    if (!settings.symmetric) contents.push_back(zero_bytes(codes, std::move(zeros), as_bytes));
    if (!as_bytes)
      contents.push_back(bytes_of(std::vector<std::int64_t>{
          static_cast<std::int64_t>(codes.rows), static_cast<std::int64_t>(codes.columns)}));
  }
  auto infos = plan(module, codes, settings);
  std::vector<NamedBytes> tensors;
  for (std::size_t i = 0; i < infos.size(); ++i)
    tensors.push_back({std::move(infos[i]), std::move(contents[i])});
  return tensors;
}

bool claims(const Json& config) {
  return json_string(config, "quant_method", "") == "compressed-tensors";
}

std::vector<std::pair<std::string, std::string>> files(const LayoutSettings&) { return {}; }

constexpr TestedReader kReaders[] = {
    {.program = "vLLM 0.32.0 on a CPU",
     .takes = "4 bits in groups, symmetric and asymmetric, W8A8",
     .refuses = "8 bits in groups",
     .how = "perplexity in bfloat16",
     .date = "2026-11-28"},
    {.program = "transformers 5.24.0, compressed-tensors 0.20.0",
     .takes = "2 to 6 and 8 bits symmetric, W8A8, fp8, mxfp4, nvfp4, mixed",
     .refuses = "asymmetric (as the library's own)",
     .how = "unpacked weights and perplexity",
     .date = "2026-11-28"},
};

}  // namespace

CompressedForm compressed_form(const Grid& grid, std::string_view dialect) {
  if (grid.name == "fp8") return dialect == "float-blocks" ? kFloat8Blocks : kFloat8;
  if (grid.name == "mxfp4") return kMxfp4;
  if (grid.name == "nvfp4") return kNvfp4;
  return dialect == "int-quantized" ? kBytes : kWords;
}

std::string_view format_name(CompressedForm form) {
  if (form == kFloat8Blocks) return "float-quantized";
  return kDialects[form == kMxfp4 ? 4 : form == kNvfp4 ? 5 : static_cast<std::size_t>(form)];
}

extern const Layout compressed_tensors{
    .name = "compressed-tensors",
    .summary = "compressed-tensors: vLLM, transformers",
    .readers = kReaders,
    .dialects = kDialects,
    .claims = claims,
    .open = open_compressed,
    .module_of = module_of,
    .check = check_compressed,
    .grid_of = grid_of,
    .usual_groups = usual_groups,
    .short_groups = short_groups,
    .refusal = refusal,
    .storable = storable,
    .bits_per_weight = bits_per_weight,
    .plan = plan,
    .write = write,
    .config = write_compressed_config,
    .files = files,
    .consumers = compressed_consumers,
};

}  // namespace nibble::layouts
