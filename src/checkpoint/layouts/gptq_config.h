// quantization_config / quantize_config.json of GPTQ checkpoints, their modules and their rules.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/layout.h"
#include "checkpoint/layouts/module_rules.h"

namespace nibble::layouts {

struct GptqConfig {
  ModuleSettings base;
  bool symmetric = true;
  bool desc_act = false;
  std::string checkpoint_format = "gptq";
  bool subtracts_by_word = false;  // written by a tool that turns v2 zeros into v1 word by word
  ModuleRules dynamic;

  bool stores_true_zero() const { return checkpoint_format == "gptq_v2"; }
  ModuleSettings settings_of(const std::string& module) const {
    const ModuleSettings* own = dynamic.find(module);
    return own != nullptr ? *own : base;
  }
};

// Throws kCorruptFile or kUnsupported naming the key.
GptqConfig read_gptq_config(const Json& config);

// Does a checkpoint that calls itself symmetric and of the first dialect hold the zeros of the
// second? Every stored zero is the middle of its grid then; a writer of the first stores the middle
// less one.
bool is_second_dialect(const CheckpointReader& reader, const GptqConfig& config);
extern const std::string kSecondDialectNote;

Json write_gptq_config(const LayoutSettings& settings);

// Layout::open.
std::unique_ptr<StoredModules> open_gptq(const CheckpointReader& reader, const Json& config);
// The codes of one module; null when it is not quantized. Throws kCorruptFile.
std::unique_ptr<StoredCodes> open_gptq_module(const CheckpointReader& reader,
                                              const GptqConfig& config, const std::string& module);

// Layout::consumers.
std::vector<Finding> gptq_consumers(std::span<const ShapedModule> modules,
                                    const LayoutSettings& settings);

// Shapes, indices, zeros; then gptq_consumers of what is there.
std::vector<Finding> check_gptq(const CheckpointReader& reader, const Json& config);

}  // namespace nibble::layouts
