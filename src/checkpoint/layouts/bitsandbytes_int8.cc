// 8-bit checkpoints of bitsandbytes (LLM.int8) as transformers writes and reads them. For a layer
// "m" with weight [out, in]:
//
//   m.weight         I8 [out, in]  codes less 128, −127 … 127 where the library made them
//   m.SCB            F32 [out]     the largest magnitude of each row
//   m.weight_format  U8 []         0: row by row, the only order that is still written
//   weight[o, i] = (SCB[o] / 127) · (code − 128)
//
// Readers round their inputs to 8 bits too, but for the columns where one of them is large.
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "checkpoint/layout.h"
#include "checkpoint/layouts/module_tensors.h"
#include "checkpoint/layouts/opened_modules.h"
#include "checkpoint/layouts/row_codes.h"
#include "checkpoint/outlier_threshold.h"
#include "nibble/error.h"

namespace nibble::layouts {
namespace {

constexpr std::string_view kScales = ".SCB";
constexpr const char* kThreshold = "llm_int8_threshold";
constexpr float kUnits = 127, kMiddle = 128;

std::string_view grid_of(std::string_view) { return "int8"; }

std::span<const std::size_t> usual_groups(const Grid&, std::string_view) { return {}; }

std::string refusal(const CodeShape& shape) {
  if (shape.grid->name != "int8")
    return cat("bitsandbytes' 8-bit files hold codes of int8, not ", shape.grid->name);
  if (shape.group_size != shape.columns)
    return cat("bitsandbytes' 8-bit files have one scale for each row, not groups of ",
               shape.group_size);
  return {};
}

// The number that is stored for a scale: it comes back as it was where any number does that.
float magnitude_of(float scale) {
  const float product = scale * kUnits;
  for (const float near :
       {product, std::nextafter(product, INFINITY), std::nextafter(product, -INFINITY)})
    if (near / kUnits == scale) return near;
  return product;
}

void bring_to_stored(Codes& codes) {
  for (float& scale : codes.scales) scale = magnitude_of(scale) / kUnits;
}

Storable storable(const CodeShape&, const LayoutSettings&) {
  Storable storable;
  storable.scale_type = DType::kF32;
  storable.free_zeros = false;
  storable.together = bring_to_stored;
  return storable;
}

double bits_per_weight(const CodeShape& shape, const LayoutSettings&) {
  return 8 + 32.0 / static_cast<double>(shape.columns);
}

std::optional<std::string> module_of(const TensorInfo& tensor) {
  return module_of_suffix(tensor, kScales);
}

std::vector<TensorInfo> plan(const std::string& module, const CodeShape& shape,
                             const LayoutSettings&) {
  return {planned(module + ".weight", DType::kI8, {shape.rows, shape.columns}),
          planned(cat(module, kScales), DType::kF32, {shape.rows}),
          planned(module + ".weight_format", DType::kU8, {})};
}

std::vector<NamedBytes> write(const std::string& module, const Codes& codes,
                              const LayoutSettings& settings) {
  for (const float zero : codes.zeros)
    if (zero != kMiddle)
      throw Error(ErrorKind::kInvalidArgument,
                  cat("module \"", module, "\": zero ", zero,
                      " cannot be stored: that of bitsandbytes' 8-bit files is 128"));
  std::vector<std::byte> bytes(codes.codes.size());
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::byte>(codes.codes[i] ^ 0x80);
  std::vector<float> magnitudes = codes.scales;
  for (float& scale : magnitudes) scale = magnitude_of(scale);
  auto infos = plan(module, codes, settings);
  std::vector<NamedBytes> tensors;
  tensors.push_back({std::move(infos[0]), std::move(bytes)});
  tensors.push_back({std::move(infos[1]), float_bytes(magnitudes, DType::kF32)});
  tensors.push_back({std::move(infos[2]), {std::byte{0}}});
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
          {"load_in_4bit", false},
          {"load_in_8bit", true},
          {"_load_in_4bit", false},
          {"_load_in_8bit", true},
          {kThreshold, 6.0},
          {"llm_int8_skip_modules", std::move(skipped)},
          {"llm_int8_enable_fp32_cpu_offload", false},
          {"llm_int8_has_fp16_weight", false}};
}

std::vector<std::pair<std::string, std::string>> files(const LayoutSettings&) { return {}; }

std::unique_ptr<StoredCodes> codes_in(const CheckpointReader& reader, const std::string& module) {
  const ModuleTensors tensors(reader, module);
  const auto [rows, columns] = tensors.matrix(".weight", DType::kI8);
  if (tensors.find(".weight_format") != nullptr)
    if (const auto order = tensors.bytes(".weight_format", DType::kU8, {}).front();
        order != std::byte{0})
      tensors.unsupported(cat("weight_format is ", std::to_integer<int>(order),
                              ", an order of older versions; supported: 0, row by row"),
                          "load and save it once with a newer bitsandbytes");
  std::vector<float> scales = tensors.floats(kScales, {rows});
  for (float& scale : scales) scale /= kUnits;
  CodeShape shape = code_shape(rows, columns, {&grids::uniform(8), 0});
  auto beside = float_scales(shape, std::move(scales), {}, kMiddle);
  return byte_rows(std::move(shape), tensors.bytes(".weight", DType::kI8, {rows, columns}),
                   std::move(beside));
}

class Modules final : public StoredModules {
 public:
  explicit Modules(const CheckpointReader& reader) : reader_(reader) {}
  bool holds(const std::string& module) const override {
    return reader_.find(cat(module, kScales)) != nullptr;
  }
  std::unique_ptr<StoredCodes> open(const std::string& module) const override {
    return codes_in(reader_, module);
  }

 private:
  const CheckpointReader& reader_;
};

// Older configs have no name.
bool claims(const Json& config) {
  const std::string method = json_string(config, "quant_method", "");
  return (method == "bitsandbytes" || method.empty()) && json_bool(config, "load_in_8bit", false);
}

std::unique_ptr<StoredModules> open(const CheckpointReader& reader, const Json&) {
  return std::make_unique<Modules>(reader);
}

std::vector<Finding> check(const CheckpointReader& reader, const Json&) {
  return findings_of(
      open_modules(reader, module_of, "bitsandbytes.tensors",
                   [&](const std::string& module) { return codes_in(reader, module); }),
      "bitsandbytes.modules", "the config says load_in_8bit, but no tensor is called *.SCB");
}

constexpr TestedReader kReaders[] = {
    {.program = "transformers 5.24.0, bitsandbytes 0.50.2",
     .takes = "8 bits",
     .how = "unpacked weights and perplexity (it rounds inputs)",
     .date = "2026-11-28"},
};

}  // namespace

extern const Layout bitsandbytes_int8{
    .name = "bitsandbytes-int8",
    .summary = "bitsandbytes 8 bits, a scale for each row: transformers, PEFT",
    .readers = kReaders,
    .claims = claims,
    .open = open,
    .module_of = module_of,
    .check = check,
    .grid_of = grid_of,
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

namespace nibble {

std::optional<float> outlier_threshold(const Json& config) {
  const auto settings = config.find("quantization_config");
  if (settings == config.end() || !settings->is_object()) return {};
  const auto found = settings->find(layouts::kThreshold);
  if (found == settings->end() || found->is_null()) return {};
  const double threshold = json_number(*settings, layouts::kThreshold, 0);
  if (!(threshold >= 0))
    throw Error(ErrorKind::kCorruptFile,
                cat("\"", layouts::kThreshold, "\" is ", threshold,
                    "; expected 0 or more: the size from which inputs are outliers"));
  return static_cast<float>(threshold);
}

}  // namespace nibble
