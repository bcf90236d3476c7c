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
//
//   weight[o, i] = scale[o, g] · (code − zero[o, g]); the zero of symmetric grids is the middle.
//
// Here they are written; compressed_tensors_open.cc reads them.
#include "checkpoint/layouts/compressed_tensors.h"

#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "formats/bitstream.h"
#include "nibble/error.h"
#include "tensor/half.h"

namespace nibble::layouts {
namespace {

constexpr std::array<std::string_view, 2> kDialects = {"pack-quantized", "int-quantized"};
constexpr std::array<std::size_t, 3> kUsualGroups = {128, 64, 32};

std::string_view grid_of(std::string_view dialect) { return is_int_dialect(dialect) ? "int8" : ""; }

// Integer products have one scale for each row.
std::span<const std::size_t> usual_groups(const Grid&, std::string_view dialect) {
  return is_int_dialect(dialect) ? std::span<const std::size_t>() : kUsualGroups;
}

std::string refusal(const CodeShape& shape) {
  if (!shape.grid->uniform() || grids::find(shape.grid->name) != shape.grid)
    return cat("compressed-tensors files hold codes of int2 to int6 and int8, not ",
               shape.grid->name);
  if (shape.columns % shape.group_size != 0)
    return cat("groups of ", shape.group_size, " do not divide rows of ", shape.columns);
  return {};
}

DType scale_type(const LayoutSettings& settings) {
  return settings.dtype == DType::kF16 || settings.dtype == DType::kF32 ? settings.dtype
                                                                        : DType::kBF16;
}

Storable storable(const CodeShape&, const LayoutSettings& settings) {
  Storable storable;
  storable.scale_type = scale_type(settings);
  return storable;
}

double bits_per_weight(const CodeShape& shape, const LayoutSettings& settings) {
  const double width = is_int_dialect(settings.dialect) ? 8 : shape.bits();
  const double zero = settings.symmetric ? 0 : width;
  return width + (bits(scale_type(settings)) + zero) / static_cast<double>(shape.group_size);
}

std::optional<std::string> module_of(const TensorInfo& tensor) {
  constexpr std::string_view kWeight = ".weight";
  if (tensor.name.ends_with(kPacked))
    return tensor.name.substr(0, tensor.name.size() - kPacked.size());
  if (is_byte_weight(tensor)) return tensor.name.substr(0, tensor.name.size() - kWeight.size());
  return std::nullopt;
}

std::vector<TensorInfo> plan(const std::string& module, const CodeShape& shape,
                             const LayoutSettings& settings) {
  const auto outputs = static_cast<std::int64_t>(shape.rows);
  const auto inputs = static_cast<std::int64_t>(shape.columns);
  const auto groups = static_cast<std::int64_t>(shape.groups());
  const auto words = [&](std::int64_t codes) { return (codes * shape.bits() + 31) / 32; };
  const auto info = [&](std::string_view suffix, DType type, std::vector<std::int64_t> sizes) {
    TensorInfo tensor{cat(module, suffix), type, std::move(sizes), 0};
    tensor.bytes = static_cast<std::uint64_t>(bits(type)) / 8;
    for (const std::int64_t size : tensor.shape) tensor.bytes *= static_cast<std::uint64_t>(size);
    return tensor;
  };
  const bool bytes = is_int_dialect(settings.dialect);
  std::vector<TensorInfo> tensors;
  if (bytes)
    tensors.push_back(info(".weight", DType::kI8, {outputs, inputs}));
  else
    tensors.push_back(info(kPacked, DType::kI32, {outputs, words(inputs)}));
  tensors.push_back(info(".weight_scale", scale_type(settings), {outputs, groups}));
  if (!settings.symmetric)
    tensors.push_back(info(".weight_zero_point", bytes ? DType::kI8 : DType::kI32,
                           {bytes ? outputs : words(outputs), groups}));
  if (!bytes) tensors.push_back(info(".weight_shape", DType::kI64, {2}));
  return tensors;
}

template <typename Value>
std::vector<std::byte> bytes_of(const std::vector<Value>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(Value));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
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

std::vector<std::byte> scale_bytes(const Codes& codes, DType type) {
  if (type == DType::kF32) return bytes_of(codes.scales);
  std::vector<std::uint16_t> scales;
  for (const float scale : codes.scales)
    scales.push_back(type == DType::kF16 ? float_to_half(scale) : float_to_bfloat16(scale));
  return bytes_of(scales);
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
  const bool as_bytes = is_int_dialect(settings.dialect);
  auto zeros = zeros_of(module, codes, settings.symmetric);
  std::vector<std::vector<std::byte>> contents;
  contents.push_back(code_bytes(codes, as_bytes));
  contents.push_back(scale_bytes(codes, scale_type(settings)));
  if (!settings.symmetric) contents.push_back(zero_bytes(codes, std::move(zeros), as_bytes));
  if (!as_bytes)
    contents.push_back(bytes_of(std::vector<std::int64_t>{
        static_cast<std::int64_t>(codes.rows), static_cast<std::int64_t>(codes.columns)}));
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

}  // namespace

extern const Layout compressed_tensors{
    .name = "compressed-tensors",
    .summary = "compressed-tensors: vLLM, transformers",
    .dialects = kDialects,
    .claims = claims,
    .open = open_compressed,
    .module_of = module_of,
    .check = check_compressed,
    .grid_of = grid_of,
    .usual_groups = usual_groups,
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
