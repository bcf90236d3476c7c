// How a quantized linear layer lies in a checkpoint as named tensors: GPTQ's qweight, qzeros,
// scales, g_idx. One file in layouts/ and one line in its list for each.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "formats/codes.h"
#include "formats/stored_codes.h"
#include "nibble/checkpoint.h"

namespace nibble {

// One finding of a check. `rule` names it for programs: "gptq.marlin.in_features".
struct Finding {
  bool error = false;  // otherwise a warning
  std::string rule;
  std::string text;
};

struct ModuleSettings {  // what one module was asked for
  int bits = 4;
  std::size_t group_size = 128;  // 0: one group for the whole row
};

struct LayoutSettings {  // of the whole checkpoint
  ModuleSettings base;
  bool symmetric = true;
  bool group_index = false;  // act-order with groups in processing order
  std::string variant;       // a layout's own dialect: "gptq", "gptq_v2"
  // Modules that differ from `base`, and modules left alone, by full name.
  std::vector<std::pair<std::string, ModuleSettings>> overrides;
  std::vector<std::string> skipped;
  double damping = 0.01;  // told to people who read the config
};

struct ShapedModule {  // a quantized module as it lies in a checkpoint, or as it will
  std::string name;
  std::size_t rows = 0, columns = 0;
  ModuleSettings settings;
};

struct NamedBytes {
  TensorInfo info;
  std::vector<std::byte> bytes;
};

struct Layout {
  std::string_view name;
  // Does config.json's quantization_config (null when absent) describe this layout?
  bool (*claims)(const Json& config) = nullptr;
  // The codes of module "model.layers.0.self_attn.q_proj", which lie in `reader` as long as it
  // lives; null when the module is not quantized. Throws kCorruptFile when its tensors contradict
  // each other or the config.
  std::unique_ptr<StoredCodes> (*open)(const CheckpointReader& reader, const Json& config,
                                       const std::string& module) = nullptr;
  // Why this layout cannot hold a [rows, columns] matrix so quantized; empty when it can.
  std::string (*refusal)(std::size_t rows, std::size_t columns,
                         const ModuleSettings& module_settings) = nullptr;
  // Names, types and shapes of the tensors that `write` will give, in file order.
  std::vector<TensorInfo> (*plan)(const std::string& module, std::size_t rows, std::size_t columns,
                                  const ModuleSettings& module_settings,
                                  const LayoutSettings& settings) = nullptr;
  std::vector<NamedBytes> (*write)(const std::string& module, const Codes& codes,
                                   const LayoutSettings& settings) = nullptr;
  // The quantization_config object for config.json, and further files: name and text.
  Json (*config)(const LayoutSettings& settings) = nullptr;
  std::vector<std::pair<std::string, std::string>> (*files)(const LayoutSettings& settings) =
      nullptr;
  // Which known readers will refuse such modules, as warnings: told before any work.
  std::vector<Finding> (*consumers)(std::span<const ShapedModule> modules,
                                    const LayoutSettings& settings) = nullptr;
  // The layout's own rules on a finished checkpoint, and `consumers` of what it holds.
  std::vector<Finding> (*check)(const CheckpointReader& reader, const Json& config) = nullptr;
};

namespace layouts {
std::span<const Layout* const> all();
const Layout& named(std::string_view name);  // throws kInvalidArgument with the known names
// The layout of a whole config.json; null without quantization_config; throws kUnsupported.
const Layout* claiming(const Json& config);
}  // namespace layouts

}  // namespace nibble
