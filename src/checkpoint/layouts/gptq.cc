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
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "checkpoint/layout.h"
#include "checkpoint/layouts/gptq_config.h"
#include "formats/bitstream.h"
#include "nibble/error.h"
#include "tensor/half.h"

namespace nibble::layouts {
namespace {

using Words = std::vector<std::uint32_t>;

std::string refusal(std::size_t rows, std::size_t columns, const ModuleSettings& settings) {
  if (rows % 32 != 0 || columns % 32 != 0)
    return cat("GPTQ readers need both dimensions divisible by 32; this one is ", rows, " x ",
               columns);
  if (settings.group_size != 0 && columns % settings.group_size != 0)
    return cat("groups of ", settings.group_size, " do not divide rows of ", columns);
  return {};
}

std::vector<TensorInfo> plan(const std::string& module, std::size_t rows, std::size_t columns,
                             const ModuleSettings& settings, const LayoutSettings&) {
  const auto outputs = static_cast<std::int64_t>(rows);
  const auto inputs = static_cast<std::int64_t>(columns);
  const std::int64_t groups =
      settings.group_size == 0 ? 1 : inputs / static_cast<std::int64_t>(settings.group_size);
  const auto info = [&](std::string_view suffix, DType type, std::vector<std::int64_t> shape) {
    TensorInfo tensor{cat(module, ".", suffix), type, std::move(shape), 0};
    std::uint64_t bytes = static_cast<std::uint64_t>(bits(type)) / 8;
    for (const std::int64_t size : tensor.shape) bytes *= static_cast<std::uint64_t>(size);
    tensor.bytes = bytes;
    return tensor;
  };
  return {info("qweight", DType::kI32, {inputs * settings.bits / 32, outputs}),
          info("qzeros", DType::kI32, {groups, outputs * settings.bits / 32}),
          info("scales", DType::kF16, {groups, outputs}), info("g_idx", DType::kI32, {inputs})};
}

template <typename Value>
std::vector<std::byte> bytes_of(const std::vector<Value>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(Value));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

Words pack_codes(const Codes& codes) {
  const auto width = static_cast<std::size_t>(codes.bits);
  Words words(codes.columns * width / 32 * codes.rows);
  Words block(width);
  for (std::size_t o = 0; o < codes.rows; ++o)
    for (std::size_t first = 0; first < codes.columns; first += 32) {
      pack_32(codes.row(o).data() + first, codes.bits, block);
      for (std::size_t k = 0; k < width; ++k)
        words[(first / 32 * width + k) * codes.rows + o] = block[k];
    }
  return words;
}

Words pack_zeros(const std::string& module, const Codes& codes, bool minus_one) {
  const auto width = static_cast<std::size_t>(codes.bits);
  const std::size_t groups = codes.groups(), per_row = codes.rows * width / 32;
  Words words(groups * per_row);
  std::uint8_t fields[32];
  for (std::size_t g = 0; g < groups; ++g)
    for (std::size_t first = 0; first < codes.rows; first += 32) {
      for (std::size_t o = 0; o < 32; ++o) {
        const int zero = static_cast<int>(codes.zeros[(first + o) * groups + g]);
        if (zero < (minus_one ? 1 : 0) || zero >= 1 << codes.bits)
          throw Error(ErrorKind::kInvalidArgument,
                      cat("module \"", module, "\": zero ", zero, " cannot be stored",
                          minus_one ? " in the gptq (v1) dialect" : ""));
        fields[o] = static_cast<std::uint8_t>(zero - (minus_one ? 1 : 0));
      }
      pack_32(fields, codes.bits, {words.data() + g * per_row + first / 32 * width, width});
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

  const ModuleSettings module_settings{codes.bits,
                                       codes.group_size == codes.columns ? 0 : codes.group_size};
  auto infos = plan(module, codes.rows, codes.columns, module_settings, settings);
  std::vector<NamedBytes> tensors;
  tensors.push_back({std::move(infos[0]), bytes_of(pack_codes(codes))});
  tensors.push_back(
      {std::move(infos[1]), bytes_of(pack_zeros(module, codes, settings.variant != "gptq_v2"))});
  tensors.push_back({std::move(infos[2]), bytes_of(scales)});
  tensors.push_back({std::move(infos[3]), bytes_of(index)});
  return tensors;
}

bool claims(const Json& config) { return json_string(config, "quant_method", "") == "gptq"; }

std::vector<std::pair<std::string, std::string>> files(const LayoutSettings& settings) {
  return {{"quantize_config.json", write_gptq_config(settings).dump(2) + "\n"}};
}

}  // namespace

extern const Layout gptq{
    .name = "gptq",
    .claims = claims,
    .open = open_gptq,
    .refusal = refusal,
    .plan = plan,
    .write = write,
    .config = write_gptq_config,
    .files = files,
    .consumers = gptq_consumers,
    .check = check_gptq,
};

}  // namespace nibble::layouts
