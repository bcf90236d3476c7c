// 4-bit checkpoints of bitsandbytes as transformers writes and reads them. For a layer "m" with
// weight [out, in], flattened row by row into blocks of `blocksize` weights:
//
//   m.weight             U8 [out·in/2, 1]  element 2j in the high nibble of byte j, 2j + 1 in the
//   low m.weight.absmax      F32 [blocks]      scales; with double quantization U8: codes of scales
//   m.weight.quant_map   F32 [16]          the codebook, in the library's order of codes
//   m.weight.quant_state.bitsandbytes__nf4 U8  JSON: quant_type, blocksize, dtype, shape; or …__fp4
//   double quantization, in blocks of 256 scales:
//   m.weight.nested_absmax     F32 [blocks/256]
//   m.weight.nested_quant_map  F32 [256]
//     scale = nested_quant_map[code] · nested_absmax[block] + nested_offset (in the JSON)
//   weight = quant_map[code] · scale
//
// Of fp4 the library's codes are the bits of the number, sign first, which do not rise with it.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "checkpoint/layout.h"
#include "checkpoint/layouts/module_tensors.h"
#include "checkpoint/layouts/opened_modules.h"
#include "nibble/error.h"

namespace nibble::layouts {
namespace {

constexpr std::array<std::string_view, 2> kDialects = {"plain", "double"};
constexpr std::array<std::size_t, 2> kUsualGroups = {64, 32};
constexpr std::size_t kNested = 256;  // scales that share a second scale
constexpr std::size_t kStateBytes =
    192;  // JSON and spaces: its length is announced before it is known
constexpr std::string_view kState = ".weight.quant_state.bitsandbytes__";

// A grid that such files hold: the library's code for each of the grid's.
struct FourBits {
  std::string_view grid;
  std::array<std::uint8_t, 16> stored;
};
constexpr std::array<FourBits, 2> kGrids = {
    {{"nf4", {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}},
     {"fp4", {11, 10, 13, 12, 15, 14, 9, 0, 8, 1, 6, 7, 4, 5, 2, 3}}}};

// Null: such files do not hold this grid.
const FourBits* four_bits(std::string_view grid) {
  for (const FourBits& one : kGrids)
    if (one.grid == grid) return &one;
  return nullptr;
}

bool is_double(std::string_view dialect) { return dialect == "double"; }

// The signed dynamic map of 8-bit codes: for each power of ten from 10^-6 to 1, twice as many
// values as for the one before, both signs, with 0 and 1.
const std::array<float, 256>& dynamic_map() {
  static const std::array<float, 256> map = [] {
    std::vector<float> values = {0.0f, 1.0f};
    for (int e = 0; e < 7; ++e) {
      // Middles of `count` equal parts of 0.1 … 1. The library counts from the nearer end, in
      // float32 steps that are multiplied and added without rounding between.
      const int count = 1 << e;
      const double step = (1.0f - 0.1f) / static_cast<float>(count);
      const auto edge = [&](int i) {
        return static_cast<float>(i < (count + 1) / 2 ? 0.1f + step * i : 1 - step * (count - i));
      };
      const auto power = static_cast<float>(std::pow(10.0, e - 6));
      for (int i = 0; i < count; ++i) {
        const float middle = power * ((edge(i) + edge(i + 1)) / 2);
        values.push_back(middle);
        values.push_back(-middle);
      }
    }
    std::array<float, 256> sorted{};
    std::copy(values.begin(), values.end(), sorted.begin());
    std::sort(sorted.begin(), sorted.end());
    return sorted;
  }();
  return map;
}

std::uint8_t nearest_of_map(float value) {
  const auto& map = dynamic_map();
  const auto above = std::lower_bound(map.begin(), map.end(), value);
  if (above == map.begin()) return 0;
  if (above == map.end()) return 255;
  const bool lower = value - *(above - 1) <= *above - value;
  return static_cast<std::uint8_t>(above - map.begin() - (lower ? 1 : 0));
}

// Scales quantized once more.
struct NestedScales {
  std::vector<std::uint8_t> codes;
  std::vector<float> absmax;
  float offset = 0;

  explicit NestedScales(std::span<const float> scales) : codes(scales.size()) {
    double sum = 0;
    for (const float scale : scales) sum += scale;
    offset = static_cast<float>(sum / static_cast<double>(std::max<std::size_t>(1, scales.size())));
    for (std::size_t first = 0; first < scales.size(); first += kNested) {
      const auto block = scales.subspan(first, std::min(kNested, scales.size() - first));
      float largest = 0;
      for (const float scale : block) largest = std::max(largest, std::fabs(scale - offset));
      absmax.push_back(largest);
      for (std::size_t i = 0; i < block.size(); ++i)
        codes[first + i] = nearest_of_map(largest > 0 ? (block[i] - offset) / largest : 0);
    }
  }
  float scale(std::size_t at) const {
    return dynamic_map()[codes[at]] * absmax[at / kNested] + offset;
  }
};

void quantize_scales(Codes& codes) {
  const NestedScales nested(codes.scales);
  for (std::size_t i = 0; i < codes.scales.size(); ++i) {
    codes.scales[i] = nested.scale(i);
    if (codes.scales[i] == 0) codes.scales[i] = 0x1p-24f;  // nothing can be divided by 0
  }
  // The scales as they are now would not give the same offset again.
  codes.stored_scales.resize(nested.codes.size() + 4 * nested.absmax.size() + 4);
  std::uint8_t* out = codes.stored_scales.data();
  std::copy(nested.codes.begin(), nested.codes.end(), out);
  std::memcpy(out + nested.codes.size(), nested.absmax.data(), 4 * nested.absmax.size());
  std::memcpy(out + nested.codes.size() + 4 * nested.absmax.size(), &nested.offset, 4);
}

std::span<const std::size_t> usual_groups(const Grid&, std::string_view) { return kUsualGroups; }

std::string refusal(const CodeShape& shape) {
  if (four_bits(shape.grid->name) == nullptr)
    return cat("bitsandbytes' 4-bit files hold codes of nf4 and fp4, not ", shape.grid->name);
  const std::size_t group = shape.group_size;
  if (group < 32 || group > 4096 || (group & (group - 1)) != 0)
    return cat("bitsandbytes' blocks are 32, 64, … 4096 weights, not ", group);
  if (shape.columns % group != 0)
    return cat("blocks of ", group, " weights would cross from row to row; rows have ",
               shape.columns);
  return {};
}

Storable storable(const CodeShape&, const LayoutSettings& settings) {
  Storable storable;
  storable.scale_type = DType::kF32;
  if (is_double(settings.dialect)) storable.together = quantize_scales;
  return storable;
}

double bits_of_scale(std::string_view dialect) {
  return is_double(dialect) ? 8 + 32.0 / kNested : 32;
}

double bits_per_weight(const CodeShape& shape, const LayoutSettings& settings) {
  return 4 + bits_of_scale(settings.dialect) / static_cast<double>(shape.group_size);
}

std::optional<std::string> module_of(const TensorInfo& tensor) {
  const auto at = tensor.name.find(kState);
  if (at == std::string::npos) return std::nullopt;
  return tensor.name.substr(0, at);
}

std::vector<TensorInfo> plan(const std::string& module, const CodeShape& shape,
                             const LayoutSettings& settings) {
  const std::size_t blocks = shape.rows * shape.groups();
  const auto info = [&](std::string_view suffix, DType type, std::size_t size) {
    return TensorInfo{cat(module, suffix),
                      type,
                      {static_cast<std::int64_t>(size)},
                      size * static_cast<std::size_t>(bits(type)) / 8};
  };
  std::vector<TensorInfo> tensors;
  tensors.push_back(info(".weight", DType::kU8, shape.rows * shape.columns / 2));
  tensors.back().shape.push_back(1);
  const bool nested = is_double(settings.dialect);
  tensors.push_back(info(".weight.absmax", nested ? DType::kU8 : DType::kF32, blocks));
  tensors.push_back(info(".weight.quant_map", DType::kF32, 16));
  if (nested) {
    tensors.push_back(info(".weight.nested_absmax", DType::kF32, (blocks + kNested - 1) / kNested));
    tensors.push_back(info(".weight.nested_quant_map", DType::kF32, 256));
  }
  tensors.push_back(info(cat(kState, shape.grid->name), DType::kU8, kStateBytes));
  return tensors;
}

std::vector<NamedBytes> write(const std::string& module, const Codes& original,
                              const LayoutSettings& settings) {
  const bool nested = is_double(settings.dialect);
  Codes made;
  if (nested && original.stored_scales.empty()) quantize_scales(made = original);
  const Codes& codes = nested && original.stored_scales.empty() ? made : original;
  auto infos = plan(module, codes, settings);
  std::vector<NamedBytes> tensors;
  const auto add = [&](std::vector<std::byte> bytes) {
    tensors.push_back({std::move(infos[tensors.size()]), std::move(bytes)});
  };
  const auto& stored = four_bits(codes.grid->name)->stored;
  std::vector<std::byte> nibbles(codes.codes.size() / 2);
  for (std::size_t i = 0; i < nibbles.size(); ++i)
    nibbles[i] =
        static_cast<std::byte>(stored[codes.codes[2 * i]] << 4 | stored[codes.codes[2 * i + 1]]);
  add(std::move(nibbles));
  const std::size_t blocks = codes.scales.size();
  if (nested)
    add(bytes_of(codes.stored_scales.data(), blocks));
  else
    add(bytes_of(codes.scales.data(), 4 * blocks));
  std::array<float, 16> map{};
  for (std::size_t code = 0; code < map.size(); ++code)
    map[stored[code]] = codes.grid->codebook[code];
  add(bytes_of(map.data(), 4 * map.size()));
  Json state = {{"quant_type", codes.grid->name},
                {"blocksize", codes.group_size},
                {"dtype", torch_name(settings.dtype)},
                {"shape", {codes.rows, codes.columns}}};
  if (nested) {
    const std::size_t seconds = (blocks + kNested - 1) / kNested;
    add(bytes_of(codes.stored_scales.data() + blocks, 4 * seconds));
    add(bytes_of(dynamic_map().data(), 4 * dynamic_map().size()));
    float offset = 0;
    std::memcpy(&offset, codes.stored_scales.data() + blocks + 4 * seconds, 4);
    state["nested_blocksize"] = kNested;
    state["nested_dtype"] = "float32";
    state["nested_offset"] = static_cast<double>(offset);
  }
  std::string text = state.dump();
  if (text.size() > kStateBytes)
    throw Error(ErrorKind::kUnsupported,
                cat("module \"", module, "\": its quant_state takes ", text.size(),
                    " bytes; there is room for ", kStateBytes));
  text.resize(kStateBytes, ' ');
  add(bytes_of(text.data(), text.size()));
  return tensors;
}

Json config(const LayoutSettings& settings) {
  Json skipped = nullptr;
  // With a list transformers no longer leaves the head alone by itself.
  if (!settings.skipped.empty()) {
    skipped = settings.skipped;
    skipped.push_back("lm_head");
  }
  return {{"quant_method", "bitsandbytes"},
          {"load_in_4bit", true},
          {"load_in_8bit", false},
          {"_load_in_4bit", true},
          {"_load_in_8bit", false},
          {"bnb_4bit_quant_type", settings.base.grid->name},
          {"bnb_4bit_use_double_quant", is_double(settings.dialect)},
          {"bnb_4bit_compute_dtype", torch_name(settings.dtype)},
          {"bnb_4bit_quant_storage", "uint8"},
          {"llm_int8_threshold", 6.0},
          {"llm_int8_skip_modules", std::move(skipped)},
          {"llm_int8_enable_fp32_cpu_offload", false},
          {"llm_int8_has_fp16_weight", false}};
}

std::vector<std::pair<std::string, std::string>> files(const LayoutSettings&) { return {}; }

[[noreturn]] void corrupt(const std::string& module, const std::string& what) {
  throw Error(ErrorKind::kCorruptFile, cat("module \"", module, "\": ", what));
}

class BlockCodes final : public StoredCodes {
 public:
  // `codes`: nibbles of all weights; they stay where they are.
  BlockCodes(CodeShape shape, std::span<const std::byte> codes, std::vector<float> scales)
      : StoredCodes(std::move(shape)), codes_(codes), scales_(std::move(scales)) {
    const auto& stored = four_bits(this->shape().grid->name)->stored;
    for (std::size_t code = 0; code < stored.size(); ++code)
      code_of_[stored[code]] = static_cast<std::uint32_t>(code);
  }

  std::size_t bytes() const override { return codes_.size() + 4 * scales_.size(); }

  void read_codes(std::size_t first, std::size_t block, std::size_t count,
                  std::uint32_t* out) const override {
    const std::size_t columns = shape().columns;
    for (std::size_t step = 8 * block; step < 8 * (block + count); ++step)
      for (std::size_t lane = 0; lane < kRowsTogether; ++lane, ++out) {
        *out = 0;
        if (first + lane >= shape().rows || 4 * step >= columns) continue;
        const std::size_t at = ((first + lane) * columns + 4 * step) / 2;
        const auto a = std::to_integer<std::uint32_t>(codes_[at]);
        const auto b = std::to_integer<std::uint32_t>(codes_[at + 1]);
        *out = code_of_[a >> 4] | code_of_[a & 15] << 8 | code_of_[b >> 4] << 16 |
               code_of_[b & 15] << 24;
      }
  }

  void read_scales(std::size_t first, float* scales, float* zeros) const override {
    const std::size_t groups = shape().groups();
    for (std::size_t g = 0; g < groups; ++g)
      for (std::size_t lane = 0; lane < kRowsTogether; ++lane) {
        *scales++ = first + lane < shape().rows ? scales_[(first + lane) * groups + g] : 0;
        *zeros++ = 0;
      }
  }

 private:
  std::span<const std::byte> codes_;
  std::vector<float> scales_;
  std::array<std::uint32_t, 16> code_of_{};  // of each of the library's codes
};

// The grid whose quant_state is there; null: none.
const FourBits* grid_of(const CheckpointReader& reader, const std::string& module) {
  for (const FourBits& one : kGrids)
    if (reader.find(cat(module, kState, one.grid)) != nullptr) return &one;
  return nullptr;
}

// One module's tensors, each checked for its type and size.
class Reading {
 public:
  Reading(const CheckpointReader& reader, const std::string& module)
      : reader_(reader), module_(module) {}

  std::unique_ptr<StoredCodes> codes() const {
    const FourBits* kind = grid_of(reader_, module_);
    if (kind == nullptr)
      throw Error(ErrorKind::kUnsupported,
                  cat("module \"", module_, "\" is stored as another grid than nf4 or fp4"));
    const auto text = reader_.bytes(reader_.at(cat(module_, kState, kind->grid)));
    const Json state =
        Json::parse(reinterpret_cast<const char*>(text.data()),
                    reinterpret_cast<const char*>(text.data()) + text.size(), nullptr, false);
    if (!state.is_object()) corrupt(module_, "its quant_state is not a JSON object");
    const CodeShape shape = shape_of(state, grids::named(kind->grid));
    const std::size_t weights = shape.rows * shape.columns;
    const std::size_t blocks = shape.rows * shape.groups();
    const auto map = floats("quant_map", 16);
    for (std::size_t i = 0; i < map.size(); ++i)
      if (!(std::fabs(map[kind->stored[i]] - shape.grid->codebook[i]) <= 1e-6f))
        throw Error(ErrorKind::kUnsupported, cat("module \"", module_, "\": its quant_map is not ",
                                                 kind->grid, "'s at code ", kind->stored[i]));
    std::vector<float> scales =
        state.contains("nested_offset") ? nested_scales(state, blocks) : floats("absmax", blocks);
    for (const float scale : scales)
      if (!std::isfinite(scale)) corrupt(module_, "absmax holds a non-finite value");
    return std::make_unique<BlockCodes>(shape, bytes(reader_.at(module_ + ".weight"), weights / 2),
                                        std::move(scales));
  }

 private:
  CodeShape shape_of(const Json& state, const Grid& grid) const {
    const auto sizes = state.find("shape");
    if (sizes == state.end() || !sizes->is_array() || sizes->size() != 2)
      corrupt(module_, "its quant_state has no \"shape\" of two sizes");
    const auto size = [&](std::size_t i) {
      const Json& value = (*sizes)[i];
      if (!value.is_number_unsigned() || value.get<std::uint64_t>() == 0 ||
          value.get<std::uint64_t>() > 1u << 28)
        corrupt(module_, cat("its quant_state has shape ", sizes->dump()));
      return value.get<std::size_t>();
    };
    const auto block = static_cast<std::size_t>(json_int(state, "blocksize", 64, 1, 1 << 20));
    const CodeShape shape = code_shape(size(0), size(1), {&grid, block});
    if (shape.columns % block != 0 || shape.columns % 4 != 0)
      throw Error(ErrorKind::kUnsupported,
                  cat("module \"", module_, "\": blocks of ", block,
                      " weights cross from row to row of ", shape.columns));
    return shape;
  }

  std::span<const std::byte> bytes(const TensorInfo& info, std::size_t size) const {
    const auto found = reader_.bytes(info);
    if (found.size() != size)
      corrupt(module_, cat(info.name, " has ", found.size(), " bytes; expected ", size));
    return found;
  }

  std::vector<float> floats(std::string_view suffix, std::size_t count) const {
    const TensorInfo& info = reader_.at(cat(module_, ".weight.", suffix));
    if (info.dtype != DType::kF32)
      corrupt(module_, cat(info.name, " has type ", name(info.dtype), "; expected F32"));
    std::vector<float> values(count);
    std::memcpy(values.data(), bytes(info, 4 * count).data(), 4 * count);
    return values;
  }

  std::vector<float> nested_scales(const Json& state, std::size_t blocks) const {
    const auto size =
        static_cast<std::size_t>(json_int(state, "nested_blocksize", 256, 1, 1 << 20));
    if (!state["nested_offset"].is_number()) corrupt(module_, "nested_offset is not a number");
    const auto offset = state["nested_offset"].get<float>();
    const auto map = floats("nested_quant_map", 256);
    const auto absmax = floats("nested_absmax", (blocks + size - 1) / size);
    const auto codes = bytes(reader_.at(module_ + ".weight.absmax"), blocks);
    std::vector<float> scales(blocks);
    for (std::size_t i = 0; i < blocks; ++i)
      scales[i] = map[std::to_integer<std::size_t>(codes[i])] * absmax[i / size] + offset;
    return scales;
  }

  const CheckpointReader& reader_;
  const std::string& module_;
};

class Modules final : public StoredModules {
 public:
  explicit Modules(const CheckpointReader& reader) : reader_(reader) {}
  bool holds(const std::string& module) const override {
    return grid_of(reader_, module) != nullptr;
  }
  std::unique_ptr<StoredCodes> open(const std::string& module) const override {
    return Reading(reader_, module).codes();
  }

 private:
  const CheckpointReader& reader_;
};

// Older configs have no name.
bool claims(const Json& config) {
  const std::string method = json_string(config, "quant_method", "");
  return (method == "bitsandbytes" || (method.empty() && config.contains("load_in_4bit"))) &&
         !json_bool(config, "load_in_8bit", false);
}

std::unique_ptr<StoredModules> open(const CheckpointReader& reader, const Json&) {
  return std::make_unique<Modules>(reader);
}

std::vector<Finding> check(const CheckpointReader& reader, const Json&) {
  return findings_of(
      open_modules(reader, module_of, "bitsandbytes.tensors",
                   [&](const std::string& module) { return Reading(reader, module).codes(); }),
      "bitsandbytes.modules", "the config says bitsandbytes, but no tensor is a quant_state");
}

constexpr TestedReader kReaders[] = {
    {.program = "transformers 5.24.0, bitsandbytes 0.50.2",
     .takes = "nf4 and fp4, plain and double",
     .how = "unpacked weights and perplexity in bfloat16",
     .date = "2026-11-28"},
};

}  // namespace

extern const Layout bitsandbytes{
    .name = "bitsandbytes",
    .summary = "bitsandbytes 4 bits: transformers, PEFT, vLLM",
    .readers = kReaders,
    .dialects = kDialects,
    .claims = claims,
    .open = open,
    .module_of = module_of,
    .check = check,
    .usual_groups = usual_groups,
    .refusal = refusal,
    .storable = storable,
    .bits_per_weight = bits_per_weight,
    .plan = plan,
    .write = write,
    .config = config,
    .files = files,
};

}  // namespace nibble::layouts
