// GPTQ checkpoints as AutoGPTQ and GPTQModel write them and vLLM, transformers and exllama read
// them. For a layer with weight [out, in], b bits and G groups:
//
//   qweight  I32 [in·b/32, out]   codes, dense stream along `in` (formats/bitstream.h)
//   qzeros   I32 [G, out·b/32]    zeros, dense stream along `out`; "gptq" stores zero − 1,
//                                 "gptq_v2" the zero itself
//   scales   F16 [G, out]
//   g_idx    I32 [in]             the group of each input column
//   weight[o, i] = scales[g, o] · (code − zero[g, o])
//
// Here they are written; gptq_codes.cc reads them.
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "checkpoint/layout.h"
#include "checkpoint/layouts/gptq_config.h"
#include "checkpoint/layouts/module_tensors.h"
#include "formats/bitstream.h"
#include "nibble/error.h"
#include "tensor/half.h"

namespace nibble::layouts {
namespace {

using Words = std::vector<std::uint32_t>;

constexpr std::array<std::string_view, 2> kDialects = {"gptq", "gptq_v2"};
constexpr std::array<std::size_t, 3> kUsualGroups = {128, 64, 32};

std::span<const std::size_t> usual_groups(const Grid&, std::string_view) { return kUsualGroups; }

std::string refusal(const CodeShape& shape) {
  const int width = shape.bits();
  if (!shape.grid->uniform() || (width != 2 && width != 3 && width != 4 && width != 8))
    return cat("GPTQ files hold codes of int2, int3, int4 and int8, not ", shape.grid->name);
  if (shape.rows % 32 != 0 || shape.columns % 32 != 0)
    return cat("GPTQ readers need both dimensions divisible by 32; this one is ", shape.rows, " x ",
               shape.columns);
  if (shape.columns % shape.group_size != 0)
    return cat("groups of ", shape.group_size, " do not divide rows of ", shape.columns);
  return {};
}

// The first dialect stores zero − 1, which has no room for a zero of 0.
Storable storable(const CodeShape&, const LayoutSettings& settings) {
  Storable storable;
  storable.lowest_zero = settings.dialect == "gptq_v2" ? 0 : 1;
  storable.group_index = true;
  return storable;
}

// A float16 scale and a zero of a code's width beside each group.
double bits_per_weight(const CodeShape& shape, const LayoutSettings&) {
  return shape.bits() + (16.0 + shape.bits()) / static_cast<double>(shape.group_size);
}

std::optional<std::string> module_of(const TensorInfo& tensor) {
  constexpr std::string_view kSuffix = ".qweight";
  return module_of_suffix(tensor, kSuffix);
}

std::vector<TensorInfo> plan(const std::string& module, const CodeShape& shape,
                             const LayoutSettings&) {
  const auto outputs = static_cast<std::int64_t>(shape.rows);
  const auto inputs = static_cast<std::int64_t>(shape.columns);
  const auto groups = static_cast<std::int64_t>(shape.groups());
  const std::int64_t width = shape.bits();
  const auto info = [&](std::string_view suffix, DType type, std::vector<std::int64_t> sizes) {
    TensorInfo tensor{cat(module, ".", suffix), type, std::move(sizes), 0};
    std::uint64_t bytes = static_cast<std::uint64_t>(bits(type)) / 8;
    for (const std::int64_t size : tensor.shape) bytes *= static_cast<std::uint64_t>(size);
    tensor.bytes = bytes;
    return tensor;
  };
  return {info("qweight", DType::kI32, {inputs * width / 32, outputs}),
          info("qzeros", DType::kI32, {groups, outputs * width / 32}),
          info("scales", DType::kF16, {groups, outputs}), info("g_idx", DType::kI32, {inputs})};
}

Words pack_codes(const Codes& codes) {
  const auto width = static_cast<std::size_t>(codes.bits());
  Words words(codes.columns * width / 32 * codes.rows);
  Words block(width);
  for (std::size_t o = 0; o < codes.rows; ++o)
    for (std::size_t first = 0; first < codes.columns; first += 32) {
      pack_32(codes.row(o).data() + first, codes.bits(), block);
      for (std::size_t k = 0; k < width; ++k)
        words[(first / 32 * width + k) * codes.rows + o] = block[k];
    }
  return words;
}

Words pack_zeros(const std::string& module, const Codes& codes, bool minus_one) {
  const auto width = static_cast<std::size_t>(codes.bits());
  const std::size_t groups = codes.groups(), per_row = codes.rows * width / 32;
  Words words(groups * per_row);
  std::uint8_t fields[32];
  for (std::size_t g = 0; g < groups; ++g)
    for (std::size_t first = 0; first < codes.rows; first += 32) {
      for (std::size_t o = 0; o < 32; ++o) {
        const float stored = codes.zeros[(first + o) * groups + g];
        const int zero = static_cast<int>(stored);
        if (static_cast<float>(zero) != stored)
          throw Error(ErrorKind::kInvalidArgument,
                      cat("module \"", module, "\": zero ", stored,
                          " cannot be stored: zeros of GPTQ files are integers"));
        if (zero < (minus_one ? 1 : 0) || zero >= 1 << codes.bits())
          throw Error(ErrorKind::kInvalidArgument,
                      cat("module \"", module, "\": zero ", zero, " cannot be stored",
                          minus_one ? " in the gptq (v1) dialect" : ""));
        fields[o] = static_cast<std::uint8_t>(zero - (minus_one ? 1 : 0));
      }
      pack_32(fields, codes.bits(), {words.data() + g * per_row + first / 32 * width, width});
    }
  return words;
}

std::vector<NamedBytes> write(const std::string& module, const Codes& codes,
                              const LayoutSettings& settings) {
  const std::size_t groups = codes.groups();
  std::vector<Half> scales(groups * codes.rows);
  for (std::size_t o = 0; o < codes.rows; ++o)
    for (std::size_t g = 0; g < groups; ++g)
      scales[g * codes.rows + o] = float_to_half(codes.scales[o * groups + g]);
  std::vector<std::int32_t> index(codes.columns);
  for (std::size_t i = 0; i < codes.columns; ++i)
    index[i] = static_cast<std::int32_t>(codes.group_of(i));

  auto infos = plan(module, codes, settings);
  std::vector<NamedBytes> tensors;
  tensors.push_back({std::move(infos[0]), bytes_of(pack_codes(codes))});
  tensors.push_back(
      {std::move(infos[1]), bytes_of(pack_zeros(module, codes, settings.dialect != "gptq_v2"))});
  tensors.push_back({std::move(infos[2]), bytes_of(scales)});
  tensors.push_back({std::move(infos[3]), bytes_of(index)});
  return tensors;
}

bool claims(const Json& config) { return json_string(config, "quant_method", "") == "gptq"; }

std::vector<std::pair<std::string, std::string>> files(const LayoutSettings& settings) {
  return {{"quantize_config.json", write_gptq_config(settings).dump(2) + "\n"}};
}

constexpr TestedReader kReaders[] = {
    {.program = "vLLM 0.32.0 on a CPU",
     .takes = "4 bits symmetric, v1 and v2",
     .refuses = "asymmetric, 3 and 8 bits",
     .how = "perplexity in bfloat16",
     .date = "2026-11-28"},
    {.program = "vLLM 0.32.0 on a CPU",
     .takes = "",
     .refuses = "act-order",
     .how = "loading",
     .date = "2026-11-27"},
    {.program = "transformers 5.24.0, GPTQModel 7.7.0",
     .takes = "4 bits, groups of 128",
     .how = "perplexity in float32",
     .date = "2026-11-28"},
};

}  // namespace

extern const Layout gptq{
    .name = "gptq",
    .summary = "GPTQ: vLLM, transformers with GPTQModel, exllama",
    .readers = kReaders,
    .dialects = kDialects,
    .claims = claims,
    .open = open_gptq,
    .side_config = "quantize_config.json",
    .module_of = module_of,
    .check = check_gptq,
    .usual_groups = usual_groups,
    .refusal = refusal,
    .storable = storable,
    .bits_per_weight = bits_per_weight,
    .plan = plan,
    .write = write,
    .config = write_gptq_config,
    .files = files,
    .consumers = gptq_consumers,
};

}  // namespace nibble::layouts
