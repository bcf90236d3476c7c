// The codes of one module of a GPTQ checkpoint (gptq.cc says what lies where), taken out of the
// mapped words 16 outputs at a time: they lie beside each other, so their streams are unpacked
// together, as vectors.
#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "checkpoint/layouts/gptq_config.h"
#include "formats/bitstream.h"
#include "nibble/error.h"
#include "tensor/half.h"

namespace nibble::layouts {
namespace {

constexpr std::size_t kQuads = kRowsTogether / 4;
constexpr std::size_t kBlocksAhead = 8;

[[noreturn]] void corrupt(const std::string& module, const std::string& what) {
  throw Error(ErrorKind::kCorruptFile, cat("module \"", module, "\": ", what));
}

// Elements at any address.
template <typename Value>
Value value_at(const std::byte* from, std::size_t index) {
  Value value;
  std::memcpy(&value, from + index * sizeof(Value), sizeof(Value));
  return value;
}

struct Parts {
  const std::byte *words, *zeros, *scales;
  std::size_t word_rows, bytes;
  DType scale_type;
  // A file whose zeros were turned from v2 to v1 by subtracting a constant from whole words has
  // borrows between fields; only adding the same constant back undoes them.
  std::uint32_t plus_in_words;
  unsigned plus_in_fields;
};

template <int Bits>
class GptqCodes final : public StoredCodes {
 public:
  GptqCodes(CodeShape shape, const Parts& parts)
      : StoredCodes(std::move(shape)),
        parts_(parts),
        zero_words_((this->shape().rows * Bits + 31) / 32) {}

  std::size_t bytes() const override { return parts_.bytes; }

  void read_codes(std::size_t first, std::size_t block, std::size_t blocks,
                  std::uint32_t* out) const override {
    const std::size_t outputs = shape().rows, count = std::min(kRowsTogether, outputs - first);
    const std::size_t ahead = std::min(blocks, kBlocksAhead) * Bits;
    std::uint32_t rows[Bits][kRowsTogether] = {};
    for (std::size_t b = 0; b < blocks; ++b, out += 8 * kRowsTogether) {
      const std::size_t word = (block + b) * Bits;
      // The last block may be cut short.
      const std::size_t there = std::min<std::size_t>(Bits, parts_.word_rows - word);
      for (std::size_t k = 0; k < there; ++k) {
        const std::byte* from = parts_.words + 4 * ((word + k) * outputs + first);
        if (count == kRowsTogether)
          std::memcpy(rows[k], from, sizeof(rows[k]));
        else
          std::memcpy(rows[k], from, 4 * count);
        // The same rows' next blocks will be read soon: a line on a page of its own for each word,
        // nowhere that a processor would look ahead.
        if (word + k + ahead < parts_.word_rows) __builtin_prefetch(from + 4 * ahead * outputs);
      }
      for (std::size_t quad = 0; quad < kQuads; ++quad) {
        FourWords words[Bits];
        for (std::size_t k = 0; k < Bits; ++k) std::memcpy(&words[k], &rows[k][4 * quad], 16);
        for (int step = 0; step < 8; ++step) {
          const FourWords codes = four_codes<Bits>(words, step);
          std::memcpy(out + static_cast<std::size_t>(step) * kRowsTogether + 4 * quad, &codes, 16);
        }
      }
    }
  }

  void read_scales(std::size_t first, float* scales, float* zeros) const override {
    const std::size_t outputs = shape().rows, count = std::min(kRowsTogether, outputs - first);
    for (std::size_t g = 0; g < shape().groups(); ++g) {
      for (std::size_t lane = 0; lane < count; ++lane) {
        scales[lane] = scale(g * outputs + first + lane);
        zeros[lane] = static_cast<float>(zero(g, first + lane));
      }
      std::fill(scales + count, scales + kRowsTogether, 0.0f);
      std::fill(zeros + count, zeros + kRowsTogether, 0.0f);
      scales += kRowsTogether;
      zeros += kRowsTogether;
    }
  }

 private:
  float scale(std::size_t at) const {
    switch (parts_.scale_type) {
      case DType::kF16:
        return half_to_float(value_at<std::uint16_t>(parts_.scales, at));
      case DType::kBF16:
        return bfloat16_to_float(value_at<std::uint16_t>(parts_.scales, at));
      default:
        return value_at<float>(parts_.scales, at);
    }
  }

  unsigned zero(std::size_t group, std::size_t output) const {
    const std::size_t bit = output * Bits, shift = bit % 32;
    const std::size_t at = group * zero_words_ + bit / 32;
    std::uint32_t field =
        (value_at<std::uint32_t>(parts_.zeros, at) + parts_.plus_in_words) >> shift;
    if (shift + Bits > 32) field |= value_at<std::uint32_t>(parts_.zeros, at + 1) << (32 - shift);
    return (field + parts_.plus_in_fields) & ((1u << Bits) - 1);
  }

  Parts parts_;
  std::size_t zero_words_;  // of a group
};

// The tensor module.suffix, which must have these dimensions.
const TensorInfo& part(const CheckpointReader& reader, const std::string& module,
                       std::string_view suffix, std::size_t rows, std::size_t columns) {
  const TensorInfo& info = reader.at(cat(module, ".", suffix));
  if (info.shape.size() != 2 || info.shape[0] != static_cast<std::int64_t>(rows) ||
      info.shape[1] != static_cast<std::int64_t>(columns))
    corrupt(module, cat(suffix, " has shape ", list_text(info.shape), "; expected [", rows, ", ",
                        columns, "]"));
  return info;
}

// Whether an element has all bits of the exponent set: infinities and NaN.
template <typename Bits>
bool any_not_finite(std::span<const std::byte> bytes, Bits exponent) {
  unsigned found = 0;
  for (std::size_t i = 0; i < bytes.size() / sizeof(Bits); ++i)
    found |= (value_at<Bits>(bytes.data(), i) & exponent) == exponent ? 1u : 0u;
  return found != 0;
}

void check_scales(const std::string& module, const TensorInfo& info,
                  std::span<const std::byte> bytes) {
  if (info.dtype != DType::kF16 && info.dtype != DType::kBF16 && info.dtype != DType::kF32)
    corrupt(module, cat(info.name, " has type ", name(info.dtype), "; expected F16, BF16 or F32"));
  if (info.dtype == DType::kF16    ? any_not_finite<std::uint16_t>(bytes, 0x7C00)
      : info.dtype == DType::kBF16 ? any_not_finite<std::uint16_t>(bytes, 0x7F80)
                                   : any_not_finite<std::uint32_t>(bytes, 0x7F800000))
    corrupt(module, cat(info.name, " holds a non-finite value"));
}

// Empty when columns lie in their groups in order.
std::vector<std::int32_t> group_index(const std::string& module, const CodeShape& shape,
                                      std::span<const std::byte> bytes) {
  std::vector<std::int32_t> index(shape.columns);
  bool in_order = true;
  for (std::size_t i = 0; i < index.size(); ++i) {
    const auto group = value_at<std::uint32_t>(bytes.data(), i);
    if (group >= shape.groups())
      corrupt(module, cat("g_idx[", i, "] is ", group, "; there are ", shape.groups(), " groups"));
    in_order &= group == i / shape.group_size;
    index[i] = static_cast<std::int32_t>(group);
  }
  if (in_order) index.clear();
  return index;
}

std::unique_ptr<StoredCodes> with_bits(CodeShape shape, const Parts& parts) {
  switch (shape.bits()) {
    case 2:
      return std::make_unique<GptqCodes<2>>(std::move(shape), parts);
    case 3:
      return std::make_unique<GptqCodes<3>>(std::move(shape), parts);
    case 4:
      return std::make_unique<GptqCodes<4>>(std::move(shape), parts);
    default:
      return std::make_unique<GptqCodes<8>>(std::move(shape), parts);
  }
}

}  // namespace

std::unique_ptr<StoredCodes> open_gptq_module(const CheckpointReader& reader,
                                              const GptqConfig& config, const std::string& module) {
  const TensorInfo* qweight = reader.find(module + ".qweight");
  if (qweight == nullptr) return nullptr;
  const ModuleSettings settings = config.settings_of(module);
  const auto width = static_cast<std::size_t>(settings.grid->bits);
  if (qweight->shape.size() != 2 || qweight->dtype != DType::kI32 || qweight->shape[0] == 0 ||
      qweight->shape[1] == 0)
    corrupt(module, "qweight is not a matrix of I32");
  Parts parts{};
  parts.word_rows = static_cast<std::size_t>(qweight->shape[0]);
  CodeShape shape;
  shape.grid = settings.grid;
  shape.rows = static_cast<std::size_t>(qweight->shape[1]);
  shape.columns = parts.word_rows * 32 / width;
  const TensorInfo* g_idx = reader.find(module + ".g_idx");
  if (g_idx != nullptr) {
    if (g_idx->shape.size() != 1 || g_idx->dtype != DType::kI32)
      corrupt(module, "g_idx is not a vector of I32");
    shape.columns = static_cast<std::size_t>(g_idx->shape[0]);
  }
  if ((shape.columns * width + 31) / 32 != parts.word_rows)
    corrupt(module, cat("qweight has ", parts.word_rows, " rows of words; ", shape.columns,
                        " inputs of ", width, " bits need ", (shape.columns * width + 31) / 32));
  shape.group_size = settings.group_size == 0 ? shape.columns : settings.group_size;
  if (g_idx == nullptr && config.desc_act && shape.groups() > 1)
    throw Error(
        ErrorKind::kCorruptFile,
        cat("module \"", module, "\": there is no ", module, ".g_idx, and \"desc_act\" is ",
            "true: nothing tells which of the ", shape.groups(), " groups each input belongs to"),
        "download the checkpoint again, or quantize the original model");

  const TensorInfo& scales = part(reader, module, "scales", shape.groups(), shape.rows);
  const TensorInfo& qzeros =
      part(reader, module, "qzeros", shape.groups(), (shape.rows * width + 31) / 32);
  if (qzeros.dtype != DType::kI32) corrupt(module, "qzeros is not I32");
  check_scales(module, scales, reader.bytes(scales));
  if (g_idx != nullptr) shape.group_index = group_index(module, shape, reader.bytes(*g_idx));

  parts.words = reader.bytes(*qweight).data();
  parts.zeros = reader.bytes(qzeros).data();
  parts.scales = reader.bytes(scales).data();
  parts.scale_type = scales.dtype;
  parts.bytes = qweight->bytes + qzeros.bytes + scales.bytes;
  const bool by_word = config.subtracts_by_word && 32 % width == 0;
  if (!config.stores_true_zero() && by_word)
    parts.plus_in_words = width == 2 ? 0x55555555u : width == 4 ? 0x11111111u : 0x01010101u;
  else if (!config.stores_true_zero())
    parts.plus_in_fields = 1;
  return with_bits(std::move(shape), parts);
}

namespace {

class GptqModules final : public StoredModules {
 public:
  GptqModules(const CheckpointReader& reader, const Json& config)
      : reader_(reader), config_(read_gptq_config(config)) {
    if (!is_second_dialect(reader_, config_)) return;
    config_.checkpoint_format = "gptq_v2";
    notes_.push_back(kSecondDialectNote);
  }
  bool holds(const std::string& module) const override {
    return reader_.find(module + ".qweight") != nullptr;
  }
  std::unique_ptr<StoredCodes> open(const std::string& module) const override {
    return open_gptq_module(reader_, config_, module);
  }
  std::span<const std::string> notes() const override { return notes_; }

 private:
  const CheckpointReader& reader_;
  GptqConfig config_;
  std::vector<std::string> notes_;
};

}  // namespace

std::unique_ptr<StoredModules> open_gptq(const CheckpointReader& reader, const Json& config) {
  return std::make_unique<GptqModules>(reader, config);
}

}  // namespace nibble::layouts
