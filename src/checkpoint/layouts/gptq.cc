// GPTQ checkpoints as AutoGPTQ and GPTQModel write them and vLLM, transformers and exllama read
// them. For a layer with weight [out, in], b bits and G groups:
//
//   qweight  I32 [in·b/32, out]   codes, dense stream along `in` (formats/bitstream.h)
//   qzeros   I32 [G, out·b/32]    zeros, dense stream along `out`; "gptq" stores zero − 1,
//                                 "gptq_v2" the zero itself
//   scales   F16 [G, out]
//   g_idx    I32 [in]             the group of each input column
//   weight[o, i] = scales[g, o] · (code − zero[g, o])
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "base/text.h"
#include "checkpoint/layout.h"
#include "checkpoint/layouts/gptq_config.h"
#include "formats/bitstream.h"
#include "nibble/error.h"
#include "tensor/half.h"

namespace nibble::layouts {
namespace {

using Words = std::vector<std::uint32_t>;

Words words_of(const CheckpointReader& reader, const TensorInfo& info) {
  const auto bytes = reader.bytes(info);
  Words words(bytes.size() / 4);
  std::memcpy(words.data(), bytes.data(), words.size() * 4);
  return words;
}

[[noreturn]] void corrupt(const std::string& module, const std::string& what) {
  throw Error(ErrorKind::kCorruptFile, cat("module \"", module, "\": ", what));
}

// The tensor module.suffix, which must have this type class and these dimensions.
const TensorInfo& part(const CheckpointReader& reader, const std::string& module,
                       std::string_view suffix, std::size_t rows, std::size_t columns) {
  const TensorInfo& info = reader.at(cat(module, ".", suffix));
  if (info.shape.size() != 2 || info.shape[0] != static_cast<std::int64_t>(rows) ||
      info.shape[1] != static_cast<std::int64_t>(columns))
    corrupt(module, cat(suffix, " has shape ", list_text(info.shape), "; expected [", rows, ", ",
                        columns, "]"));
  return info;
}

std::vector<float> floats_of(const CheckpointReader& reader, const std::string& module,
                             const TensorInfo& info) {
  const auto bytes = reader.bytes(info);
  std::vector<float> values(bytes.size() * 8 / static_cast<std::size_t>(bits(info.dtype)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint16_t small = 0;
    if (info.dtype != DType::kF32) std::memcpy(&small, bytes.data() + 2 * i, 2);
    if (info.dtype == DType::kF16)
      values[i] = half_to_float(small);
    else if (info.dtype == DType::kBF16)
      values[i] = bfloat16_to_float(small);
    else if (info.dtype == DType::kF32)
      std::memcpy(&values[i], bytes.data() + 4 * i, 4);
    else
      corrupt(module,
              cat(info.name, " has type ", name(info.dtype), "; expected F16, BF16 or F32"));
    if (!std::isfinite(values[i])) corrupt(module, cat(info.name, " holds a non-finite value"));
  }
  return values;
}

// Codes of `count` columns of a matrix of words [rows·bits/32, columns], stream along the rows.
void unpack_columns(const Words& words, std::size_t columns, int bits, std::size_t inputs,
                    std::uint8_t* codes) {
  std::uint8_t block[32];
  Words gathered(static_cast<std::size_t>(bits));
  for (std::size_t first = 0; first < inputs; first += 32) {
    const std::size_t word_row = first / 32 * static_cast<std::size_t>(bits);
    const std::size_t count = std::min<std::size_t>(32, inputs - first);
    for (std::size_t o = 0; o < columns; ++o) {
      for (std::size_t k = 0; k < gathered.size(); ++k) {
        const std::size_t at = (word_row + k) * columns + o;
        gathered[k] = at < words.size() ? words[at] : 0;  // the last block may be cut short
      }
      unpack_32(gathered, bits, block);
      std::memcpy(codes + o * inputs + first, block, count);
    }
  }
}

// True zeros [groups, outputs] as [outputs, groups].
std::vector<float> unpack_zeros(Words words, std::size_t groups, std::size_t outputs, int bits,
                                const GptqConfig& config) {
  const std::size_t per_row = (outputs * static_cast<std::size_t>(bits) + 31) / 32;
  const auto mask = static_cast<std::uint8_t>((1u << bits) - 1);
  const bool plus_one = !config.stores_true_zero();
  // A file whose zeros were turned from v2 to v1 by subtracting a constant from whole words has
  // borrows between fields; only adding the same constant back undoes them.
  const bool word_wise = plus_one && config.subtracts_by_word && 32 % bits == 0;
  if (word_wise) {
    const std::uint32_t ones = bits == 2 ? 0x55555555u : bits == 4 ? 0x11111111u : 0x01010101u;
    for (std::uint32_t& word : words) word += ones;
  }
  std::vector<float> zeros(groups * outputs);
  std::uint8_t block[32];
  Words gathered(static_cast<std::size_t>(bits));
  for (std::size_t g = 0; g < groups; ++g)
    for (std::size_t first = 0; first < outputs; first += 32) {
      for (std::size_t k = 0; k < gathered.size(); ++k) {
        const std::size_t at = first / 32 * static_cast<std::size_t>(bits) + k;
        gathered[k] = at < per_row ? words[g * per_row + at] : 0;
      }
      unpack_32(gathered, bits, block);
      for (std::size_t o = first; o < std::min(outputs, first + 32); ++o) {
        const std::uint8_t field = block[o - first];
        zeros[o * groups + g] =
            plus_one && !word_wise ? static_cast<float>((field + 1) & mask) : field;
      }
    }
  return zeros;
}

std::optional<Codes> read(const CheckpointReader& reader, const Json& json,
                          const std::string& module) {
  const TensorInfo* qweight = reader.find(module + ".qweight");
  if (qweight == nullptr) return std::nullopt;
  const GptqConfig config = read_gptq_config(json);
  const ModuleSettings settings = config.settings_of(module);
  const auto width = static_cast<std::size_t>(settings.bits);
  if (qweight->shape.size() != 2 || qweight->dtype != DType::kI32 || qweight->shape[0] == 0 ||
      qweight->shape[1] == 0)
    corrupt(module, "qweight is not a matrix of I32");
  const auto word_rows = static_cast<std::size_t>(qweight->shape[0]);
  const auto outputs = static_cast<std::size_t>(qweight->shape[1]);
  const TensorInfo* g_idx = reader.find(module + ".g_idx");
  std::size_t inputs = word_rows * 32 / width;
  if (g_idx != nullptr) {
    if (g_idx->shape.size() != 1 || g_idx->dtype != DType::kI32)
      corrupt(module, "g_idx is not a vector of I32");
    inputs = static_cast<std::size_t>(g_idx->shape[0]);
  }
  if ((inputs * width + 31) / 32 != word_rows)
    corrupt(module, cat("qweight has ", word_rows, " rows of words; ", inputs, " inputs of ", width,
                        " bits need ", (inputs * width + 31) / 32));

  Codes codes = make_codes(outputs, inputs, settings.bits,
                           settings.group_size == 0 ? inputs : settings.group_size);
  const std::size_t groups = codes.groups();
  const auto scales = floats_of(reader, module, part(reader, module, "scales", groups, outputs));
  const TensorInfo& qzeros = part(reader, module, "qzeros", groups, (outputs * width + 31) / 32);
  if (qzeros.dtype != DType::kI32) corrupt(module, "qzeros is not I32");
  codes.zeros = unpack_zeros(words_of(reader, qzeros), groups, outputs, settings.bits, config);
  for (std::size_t g = 0; g < groups; ++g)
    for (std::size_t o = 0; o < outputs; ++o)
      codes.scales[o * groups + g] = scales[g * outputs + o];
  unpack_columns(words_of(reader, *qweight), outputs, settings.bits, inputs, codes.codes.data());

  if (g_idx != nullptr) {
    const Words index = words_of(reader, *g_idx);
    bool trivial = true;
    for (std::size_t i = 0; i < inputs; ++i) {
      if (index[i] >= groups)
        corrupt(module, cat("g_idx[", i, "] is ", index[i], "; there are ", groups, " groups"));
      trivial &= index[i] == i / codes.group_size;
    }
    if (!trivial) codes.group_index.assign(index.begin(), index.end());
  }
  return codes;
}

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
    .read = read,
    .refusal = refusal,
    .plan = plan,
    .write = write,
    .config = write_gptq_config,
    .files = files,
    .check = check_gptq,
};

}  // namespace nibble::layouts
