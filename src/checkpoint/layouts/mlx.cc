// MLX checkpoints, mode "affine", as mlx_lm.convert writes them. For a layer or an embedding "m"
// with weight [out, in], b bits and G groups of columns:
//
//   m.weight             U32 [out, in·b/32]  codes, a dense stream along each row
//                                            (formats/bitstream.h)
//   m.scales, m.biases   [out, G]            F16, BF16 or F32
//   weight[o, i] = scales[o, g] · code + biases[o, g]
//
// The scale may be negative. As codes with a zero that is −bias / scale: the same numbers but for
// the rounding of that quotient, a few units in float32's last place of the larger of the two.
//
// config.json has the same object as "quantization" and as "quantization_config", of which only
// programs of MLX know what it is; modules that differ stand in it under their names.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "checkpoint/layout.h"
#include "checkpoint/layouts/module_tensors.h"
#include "checkpoint/layouts/opened_modules.h"
#include "checkpoint/layouts/row_codes.h"
#include "formats/bitstream.h"
#include "nibble/error.h"

namespace nibble::layouts {
namespace {

constexpr std::array<std::size_t, 3> kUsualGroups = {64, 128, 32};
constexpr std::string_view kBiases = ".biases";
constexpr std::string_view kFix = "convert the original with mlx_lm's mode affine";
// Beyond it a float32 zero leaves nothing of a code.
constexpr float kFarZero = 0x1p40f;

std::span<const std::size_t> usual_groups(const Grid&, std::string_view) { return kUsualGroups; }

bool is_group(std::size_t group) {
  return std::find(kUsualGroups.begin(), kUsualGroups.end(), group) != kUsualGroups.end();
}

std::string refusal(const CodeShape& shape) {
  if (!shape.grid->uniform() || grids::find(shape.grid->name) != shape.grid)
    return cat("MLX files hold codes of int2 to int6 and int8, not ", shape.grid->name);
  if (!is_group(shape.group_size))
    return cat("MLX has groups of 32, 64 and 128, not ", shape.group_size);
  if (shape.columns % shape.group_size != 0)
    return cat("groups of ", shape.group_size, " do not divide rows of ", shape.columns);
  return {};
}

float bias_of(const Codes& codes, std::size_t at) { return -codes.scales[at] * codes.zeros[at]; }

GroupParams params_of(float scale, float bias) {
  if (bias == 0) return {scale, 0};
  const float zero = -bias / scale;
  if (std::fabs(zero) < kFarZero) return {scale, zero};
  return {bias / kFarZero, -kFarZero};  // the code counts for nothing, the bias is the weight
}

// Biases as they can be stored, and the zeros that follow from them.
template <DType Type>
void store_biases(Codes& codes) {
  Storable storable;
  storable.integer_zeros = false;
  storable.zero_type = Type;
  std::vector<float> biases(codes.scales.size());
  for (std::size_t at = 0; at < biases.size(); ++at) {
    biases[at] = storable.nearest_zero(bias_of(codes, at));
    const GroupParams params = params_of(codes.scales[at], biases[at]);
    codes.zeros[at] = params.zero;
  }
  codes.stored_scales.resize(4 * biases.size());
  std::memcpy(codes.stored_scales.data(), biases.data(), codes.stored_scales.size());
}

Storable storable(const CodeShape&, const LayoutSettings& settings) {
  Storable storable;
  storable.scale_type = float_type_of(settings.dtype);
  storable.integer_zeros = false;
  storable.minimum = true;
  storable.together = storable.scale_type == DType::kF16   ? store_biases<DType::kF16>
                      : storable.scale_type == DType::kF32 ? store_biases<DType::kF32>
                                                           : store_biases<DType::kBF16>;
  return storable;
}

double bits_per_weight(const CodeShape& shape, const LayoutSettings& settings) {
  return shape.bits() +
         2.0 * bits(float_type_of(settings.dtype)) / static_cast<double>(shape.group_size);
}

std::optional<std::string> module_of(const TensorInfo& tensor) {
  return module_of_suffix(tensor, kBiases);
}

std::vector<TensorInfo> plan(const std::string& module, const CodeShape& shape,
                             const LayoutSettings& settings) {
  const DType type = float_type_of(settings.dtype);
  const auto width = static_cast<std::size_t>(shape.bits());
  return {planned(module + ".weight", DType::kU32, {shape.rows, shape.columns * width / 32}),
          planned(module + ".scales", type, {shape.rows, shape.groups()}),
          planned(cat(module, kBiases), type, {shape.rows, shape.groups()})};
}

std::vector<NamedBytes> write(const std::string& module, const Codes& codes,
                              const LayoutSettings& settings) {
  const DType type = float_type_of(settings.dtype);
  const auto width = static_cast<std::size_t>(codes.bits());
  std::vector<std::uint32_t> words(codes.rows * codes.columns / 32 * width);
  for (std::size_t block = 0; block < codes.codes.size() / 32; ++block)
    pack_32(codes.codes.data() + 32 * block, codes.bits(), {words.data() + block * width, width});
  std::vector<float> biases(codes.scales.size());
  if (codes.stored_scales.empty())
    for (std::size_t at = 0; at < biases.size(); ++at) biases[at] = bias_of(codes, at);
  else
    std::memcpy(biases.data(), codes.stored_scales.data(), 4 * biases.size());
  auto infos = plan(module, codes, settings);
  std::vector<NamedBytes> tensors;
  tensors.push_back({std::move(infos[0]), bytes_of(words.data(), 4 * words.size())});
  tensors.push_back({std::move(infos[1]), float_bytes(codes.scales, type)});
  tensors.push_back({std::move(infos[2]), float_bytes(biases, type)});
  return tensors;
}

Json settings_json(const ModuleSettings& module) {
  return {{"group_size", module.group_size}, {"bits", module.grid->bits}, {"mode", "affine"}};
}

Json config(const LayoutSettings& settings) {
  Json result = settings_json(settings.base);
  for (const auto& [module, own] : settings.overrides) result[module] = settings_json(own);
  return result;
}

std::vector<std::pair<std::string, std::string>> files(const LayoutSettings&) { return {}; }

ModuleSettings read_settings(const Json& object, const ModuleSettings& base) {
  if (const std::string mode = json_string(object, "mode", "affine"); mode != "affine")
    throw Error(ErrorKind::kUnsupported,
                cat("\"mode\" is \"", mode.substr(0, 60), "\"; supported: affine"), kFix);
  ModuleSettings settings = base;
  settings.grid =
      &grids::uniform(static_cast<int>(json_int(object, "bits", base.grid->bits, 1, 8)));
  // Recipes of mlx_lm leave a null where nobody asked.
  if (const auto group = object.find("group_size"); group != object.end() && !group->is_null())
    settings.group_size = static_cast<std::size_t>(json_int(object, "group_size", 64, 1, 1 << 24));
  return settings;
}

class Modules final : public StoredModules {
 public:
  Modules(const CheckpointReader& reader, const Json& config)
      : reader_(reader), base_(read_settings(config, {&grids::uniform(4), 64})) {
    for (auto item = config.begin(); item != config.end(); ++item)
      if (item->is_object())
        with_context(cat("\"", item.key().substr(0, 100), "\""),
                     [&] { own_.emplace(item.key(), read_settings(*item, base_)); });
  }

  bool holds(const std::string& module) const override {
    return reader_.find(cat(module, kBiases)) != nullptr;
  }

  std::unique_ptr<StoredCodes> open(const std::string& module) const override {
    const auto found = own_.find(module);
    const ModuleSettings& settings = found != own_.end() ? found->second : base_;
    const ModuleTensors tensors(reader_, module);
    const auto [rows, words] = tensors.matrix(".weight", DType::kU32);
    const auto width = static_cast<std::size_t>(settings.grid->bits);
    const std::size_t columns = words * 32 / width, group = settings.group_size;
    if (columns * width != words * 32 || columns % group != 0)
      tensors.corrupt(cat("rows of ", words, " words are no whole groups of ", group, " codes of ",
                          width, " bits"));
    CodeShape shape = code_shape(rows, columns, settings);
    std::vector<float> scales = tensors.floats(".scales", {rows, shape.groups()});
    std::vector<float> zeros = tensors.floats(kBiases, {rows, shape.groups()});
    for (std::size_t at = 0; at < scales.size(); ++at) {
      const GroupParams params = params_of(scales[at], zeros[at]);
      scales[at] = params.scale;
      zeros[at] = params.zero;
    }
    auto beside = float_scales(shape, std::move(scales), std::move(zeros), 0);
    return packed_rows(std::move(shape), tensors.bytes(".weight", DType::kU32, {rows, words}),
                       std::move(beside));
  }

 private:
  const CheckpointReader& reader_;
  ModuleSettings base_;
  std::map<std::string, ModuleSettings> own_;
};

// No method is named; older programs write no mode.
bool claims(const Json& config) {
  const auto is_number = [&](const char* key) {
    const auto found = config.find(key);
    return found != config.end() && found->is_number_integer();
  };
  return !config.contains("quant_method") && is_number("bits") && is_number("group_size");
}

std::unique_ptr<StoredModules> open(const CheckpointReader& reader, const Json& config) {
  return std::make_unique<Modules>(reader, config);
}

std::vector<Finding> check(const CheckpointReader& reader, const Json& config) {
  const Modules modules(reader, config);
  return findings_of(open_modules(reader, module_of, "mlx.tensors",
                                  [&](const std::string& module) { return modules.open(module); }),
                     "mlx.modules",
                     "the config says how MLX quantized it, but no tensor is called *.biases");
}

constexpr TestedReader kReaders[] = {
    {.program = "mlx 0.32.4, mlx-lm 0.32.2",
     .takes = "2 to 6 and 8 bits, mixed",
     .how = "perplexity in float32",
     .date = "2026-11-28"},
};

}  // namespace

extern const Layout mlx{
    .name = "mlx",
    .summary = "MLX, mode affine: mlx_lm",
    .readers = kReaders,
    .claims = claims,
    .open = open,
    .config_key = "quantization",
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
