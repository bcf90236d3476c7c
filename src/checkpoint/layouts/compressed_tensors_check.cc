// Who will not load a compressed-tensors checkpoint, from shapes and settings alone, and the rules
// that a finished one must keep. Those of vLLM's kernels were read in its source; its CPU path was
// seen with 4-bit codes of GPTQ files, vLLM 0.32.0; transformers' with compressed-tensors 0.20.0.
#include <map>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "checkpoint/layouts/compressed_tensors.h"
#include "checkpoint/layouts/reader_warnings.h"
#include "nibble/error.h"

namespace nibble::layouts {
namespace {

class Readers {
 public:
  explicit Readers(const LayoutSettings& settings) : settings_(settings) {}

  void add(const ShapedModule& module) {
    ++modules_;
    const CompressedForm form = compressed_form(*module.settings.grid, settings_.dialect);
    if (is_float_form(form))
      float_products(form, module);
    else if (form == CompressedForm::kBytes)
      integer_products(module);
    else
      packed_products(module);
    const std::string fused = fused_name(module.name);
    if (fused.empty()) return;
    const auto [entry, first] = fused_.try_emplace(fused, module.settings);
    if (!first && !(entry->second == module.settings))
      warnings_.add("vllm.fused",
                    cat("parts of ", fused, " differ in bits or groups; vLLM fuses them"));
  }

  std::vector<Finding> findings() const { return warnings_.findings(modules_); }

 private:
  void packed_products(const ShapedModule& module) {
    const int bits = module.settings.grid->bits;
    const std::size_t group = module.settings.group_size;
    if (bits != 4 && bits != 8)
      warnings_.add("vllm.bits", cat("vLLM's kernels for packed codes have 4 or 8 bits, not ", bits,
                                     "; transformers reads them"));
    if (bits == 8)
      warnings_.add("vllm.cpu.bits", "vLLM 0.32 on a CPU runs packed codes of 4 bits only, not 8");
    if (!settings_.symmetric) {
      warnings_.add("transformers.symmetric",
                    "transformers 5.24 with compressed-tensors 0.20 loads symmetric grids only: it "
                    "looks for zeros that are not packed");
      warnings_.add("vllm.cpu.symmetric", "vLLM 0.32 on a CPU runs symmetric grids only");
    }
    if (group != 0 && group != 32 && group != 64 && group != 128)
      warnings_.add(
          "vllm.group_size",
          cat("vLLM's Marlin kernels need groups of 32, 64, 128 or whole rows, not ", group));
    if (module.rows % 64 != 0 || module.columns % 128 != 0)
      warnings_.add("vllm.shape",
                    cat("vLLM's Marlin kernels need outputs divisible by 64 and inputs by 128; ",
                        module.name, " is ", module.rows, " x ", module.columns));
  }

  void integer_products(const ShapedModule& module) {
    if (module.settings.grid->bits != 8)
      warnings_.add("vllm.bits", "vLLM's integer products have 8 bits");
    if (module.settings.group_size != 0)
      warnings_.add("vllm.group_size", "vLLM's integer products have one scale for each row");
    if (!settings_.symmetric)
      warnings_.add("vllm.symmetric", "vLLM's integer products have symmetric weights");
  }

  void float_products(CompressedForm form, const ShapedModule& module) {
    using enum CompressedForm;
    if (form == kFloat8 && module.settings.group_size != 0)
      warnings_.add("vllm.group_size",
                    "vLLM's products of fp8 have one scale for each row, or blocks of 128 x 128");
    if (form == kFloat8Blocks && (module.rows % 128 != 0 || module.columns % 128 != 0))
      warnings_.add("vllm.shape", cat("vLLM's products of fp8 blocks need outputs and inputs "
                                      "divisible by 128; ",
                                      module.name, " is ", module.rows, " x ", module.columns));
    if (form == kMxfp4 || form == kNvfp4)
      warnings_.add("vllm.cpu.bits", "vLLM 0.32 on a CPU runs packed codes of int4 only");
  }

  const LayoutSettings& settings_;
  std::size_t modules_ = 0;
  ReaderWarnings warnings_;
  std::map<std::string, ModuleSettings> fused_;
};

class Checker {
 public:
  Checker(const CheckpointReader& reader, const Json& json)
      : reader_(reader), config_(json), modules_(open_compressed(reader, json)) {}

  std::vector<Finding> run() {
    for (const TensorInfo& info : reader_.tensors()) {
      constexpr std::string_view kWeight = ".weight";
      if (info.name.ends_with(kPacked))
        module(info.name.substr(0, info.name.size() - kPacked.size()));
      else if (info.name.ends_with(kWeight) && info.shape.size() == 2)
        weight(info, info.name.substr(0, info.name.size() - kWeight.size()));
    }
    settings_.dialect = blocks_ ? "float-blocks" : bytes_ ? "int-quantized" : "pack-quantized";
    const auto refusals = compressed_consumers(shapes_, settings_);
    findings_.insert(findings_.end(), refusals.begin(), refusals.end());
    return std::move(findings_);
  }

 private:
  void module(const std::string& name) {
    try {
      const auto codes = modules_->open(name);
      const CodeShape& shape = codes->shape();
      const std::size_t group = shape.group_size == shape.columns ? 0 : shape.group_size;
      shapes_.push_back({name, shape.rows, shape.columns, {shape.grid, group}});
      settings_.symmetric &= config_.scheme_of(name)->symmetric;
      blocks_ |= config_.scheme_of(name)->rows_of_block != 0;
      if (!shape.group_index.empty())
        error("compressed_tensors.g_idx",
              cat("module \"", name, "\": columns lie in their groups in an order of their own, ",
                  "which readers no longer know"));
    } catch (const Error& problem) {
      error("compressed_tensors.tensors", problem.what());
    }
    if (config_.ignores(name))
      error("compressed_tensors.ignore",
            cat("module \"", name, "\" is stored as codes, but \"ignore\" names it"));
  }

  void weight(const TensorInfo& info, const std::string& name) {
    if (is_byte_weight(info)) {
      bytes_ = true;
      return module(name);
    }
    // Embeddings are no linear layers.
    const bool linear = name.ends_with("_proj") || name.ends_with("lm_head");
    if (config_.status == "compressed" && linear && config_.scheme_of(name) != nullptr &&
        config_.scheme_of(name)->settings.grid != nullptr && !config_.ignores(name))
      error("compressed_tensors.ignore",
            cat("module \"", name, "\" is not stored as codes, but \"ignore\" does not name it: ",
                "readers would take random weights"));
  }

  void error(std::string rule, std::string text) {
    findings_.push_back({true, std::move(rule), std::move(text)});
  }

  const CheckpointReader& reader_;
  CompressedConfig config_;
  std::unique_ptr<StoredModules> modules_;
  std::vector<Finding> findings_;
  std::vector<ShapedModule> shapes_;
  LayoutSettings settings_;
  bool bytes_ = false, blocks_ = false;
};

}  // namespace

std::vector<Finding> compressed_consumers(std::span<const ShapedModule> modules,
                                          const LayoutSettings& settings) {
  Readers readers(settings);
  for (const ShapedModule& module : modules) readers.add(module);
  return readers.findings();
}

std::vector<Finding> check_compressed(const CheckpointReader& reader, const Json& config) {
  return Checker(reader, config).run();
}

}  // namespace nibble::layouts
