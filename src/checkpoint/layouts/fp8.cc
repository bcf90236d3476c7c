// fp8 checkpoints as DeepSeek and Qwen publish them and transformers and vLLM read them. For a
// layer "m" with weight [out, in] and blocks of b0 rows and b1 columns, which may be cut short at
// the ends ("weight_block_size"; without it one block for the matrix):
//
//   m.weight            F8_E4M3 [out, in]
//   m.weight_scale_inv  F32 [⌈out/b0⌉, ⌈in/b1⌉]; elsewhere BF16, F16, or F8_E8M0
//   weight = fp8 · scale, whatever the name says
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "checkpoint/layouts/float_codes.h"
#include "checkpoint/layouts/module_tensors.h"
#include "checkpoint/layouts/opened_modules.h"
#include "checkpoint/layouts/reader_warnings.h"
#include "nibble/error.h"

namespace nibble::layouts {
namespace {

constexpr std::array<std::string_view, 1> kDialects = {"blocks"};
constexpr std::array<std::size_t, 1> kUsualGroups = {kRowsOfBlock};
constexpr std::string_view kWeight = ".weight", kScales = ".weight_scale_inv";
constexpr std::size_t kMostInBlock = 1 << 20;

std::string_view grid_of(std::string_view) { return "fp8"; }
std::span<const std::size_t> usual_groups(const Grid&, std::string_view) { return kUsualGroups; }
bool short_groups(const Grid&, std::string_view) { return true; }

std::string refusal(const CodeShape& shape) {
  if (shape.grid->name != "fp8") return cat("fp8 files hold codes of fp8, not ", shape.grid->name);
  if (shape.group_size != kRowsOfBlock)
    return cat("blocks of fp8 are 128 weights wide, not ", shape.group_size);
  return {};
}

Storable storable(const CodeShape&, const LayoutSettings&) {
  Storable storable;
  storable.scale_type = DType::kF32;
  storable.scale_rows = kRowsOfBlock;
  storable.together = share_scales_of_rows;
  return storable;
}

double bits_per_weight(const CodeShape& shape, const LayoutSettings&) {
  return 8 + 32.0 / static_cast<double>(shape.group_size * kRowsOfBlock);
}

std::optional<std::string> module_of(const TensorInfo& tensor) {
  if (tensor.dtype != DType::kF8E4M3) return std::nullopt;
  return module_of_suffix(tensor, kWeight);
}

std::vector<TensorInfo> plan(const std::string& module, const CodeShape& shape,
                             const LayoutSettings&) {
  return {planned(cat(module, kWeight), DType::kF8E4M3, {shape.rows, shape.columns}),
          planned(cat(module, kScales), DType::kF32, {blocks_of_rows(shape.rows), shape.groups()})};
}

std::vector<NamedBytes> write(const std::string& module, const Codes& codes,
                              const LayoutSettings& settings) {
  auto infos = plan(module, codes, settings);
  return {{std::move(infos[0]), float_code_bytes(codes)},
          {std::move(infos[1]), bytes_of(scales_of_rows(codes))}};
}

Json config(const LayoutSettings& settings) {
  Json skipped = settings.skipped;
  skipped.push_back("lm_head");
  return {{"quant_method", "fp8"},
          {"activation_scheme", "dynamic"},
          {"weight_block_size", {kRowsOfBlock, settings.base.group_size}},
          {"modules_to_not_convert", std::move(skipped)}};
}

std::vector<std::pair<std::string, std::string>> files(const LayoutSettings&) { return {}; }

std::vector<Finding> consumers(std::span<const ShapedModule> modules, const LayoutSettings&) {
  ReaderWarnings warnings;
  for (const ShapedModule& module : modules) {
    const std::string size = cat(module.name, " is ", module.rows, " x ", module.columns);
    if (module.rows % kRowsOfBlock == 0 && module.columns % kRowsOfBlock == 0) continue;
    warnings.add("transformers.blocks",
                 cat("transformers 5.24 without a GPU takes the blocks' size from the number of "
                     "scales, wrongly where 128 does not divide a side; ",
                     size));
    warnings.add("vllm.blocks",
                 cat("vLLM's products of fp8 blocks need sides divisible by 128; ", size));
  }
  return warnings.findings(modules.size());
}

// Rows and columns of a block; 0: as many as there are.
std::array<std::size_t, 2> block_in(const Json& config) {
  const auto found = config.find("weight_block_size");
  if (found == config.end() || found->is_null()) return {0, 0};
  const auto fits = [](const Json& size) {
    return size.is_number_unsigned() && size.get<std::uint64_t>() > 0 &&
           size.get<std::uint64_t>() <= kMostInBlock;
  };
  if (!found->is_array() || found->size() != 2 || !std::all_of(found->begin(), found->end(), fits))
    throw Error(ErrorKind::kCorruptFile,
                cat("\"weight_block_size\" is ", found->dump(), ", no list of two sizes"));
  return {(*found)[0].get<std::size_t>(), (*found)[1].get<std::size_t>()};
}

class Modules final : public StoredModules {
 public:
  Modules(const CheckpointReader& reader, const Json& config)
      : reader_(reader), block_(block_in(config)) {
    notes_.emplace_back(kRoundsInputsNote);
  }

  bool holds(const std::string& module) const override {
    const TensorInfo* weight = reader_.find(cat(module, kWeight));
    return weight != nullptr && weight->dtype == DType::kF8E4M3;
  }

  std::unique_ptr<StoredCodes> open(const std::string& module) const override {
    const ModuleTensors tensors(reader_, module);
    const auto [rows, columns] = tensors.matrix(kWeight, DType::kF8E4M3);
    const TensorInfo& scales =
        tensors.at(kScales, {DType::kF32, DType::kBF16, DType::kF16, DType::kF8E8M0, DType::kU8});
    FloatParts parts;
    parts.codes = tensors.bytes(kWeight, DType::kF8E4M3, {rows, columns});
    parts.scales = reader_.bytes(scales);
    parts.scale_type = scales.dtype;
    parts.rows_together = block_[0] == 0 ? rows : block_[0];
    const CodeShape shape = code_shape(rows, columns, {&grids::named("fp8"), block_[1]});
    return float_codes(shape, module, scales, parts);
  }

  std::span<const std::string> notes() const override { return notes_; }

 private:
  const CheckpointReader& reader_;
  std::array<std::size_t, 2> block_;
  std::vector<std::string> notes_;
};

bool claims(const Json& config) { return json_string(config, "quant_method", "") == "fp8"; }

std::unique_ptr<StoredModules> open(const CheckpointReader& reader, const Json& config) {
  return std::make_unique<Modules>(reader, config);
}

std::vector<Finding> check(const CheckpointReader& reader, const Json& config) {
  const Modules modules(reader, config);
  OpenedModules opened =
      open_modules(reader, module_of, "fp8.tensors",
                   [&](const std::string& module) { return modules.open(module); });
  const auto warnings = consumers(opened.modules, {});
  auto findings = findings_of(std::move(opened), "fp8.modules",
                              "the config says fp8, but no weight is F8_E4M3");
  findings.insert(findings.end(), warnings.begin(), warnings.end());
  return findings;
}

constexpr TestedReader kReaders[] = {
    {.program = "transformers 5.24.0",
     .takes = "blocks of 128 x 128",
     .how = "unpacked weights and perplexity in bfloat16",
     .date = "2026-11-28"},
};

}  // namespace

extern const Layout fp8{
    .name = "fp8",
    .summary = "8-bit floats in blocks, as DeepSeek has them: vLLM, transformers",
    .readers = kReaders,
    .dialects = kDialects,
    .claims = claims,
    .open = open,
    .module_of = module_of,
    .check = check,
    .grid_of = grid_of,
    .usual_groups = usual_groups,
    .short_groups = short_groups,
    .refusal = refusal,
    .storable = storable,
    .bits_per_weight = bits_per_weight,
    .plan = plan,
    .write = write,
    .config = config,
    .files = files,
    .consumers = consumers,
};

}  // namespace nibble::layouts
