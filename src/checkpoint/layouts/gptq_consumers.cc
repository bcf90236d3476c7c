// Who will not load a GPTQ checkpoint, from shapes and settings alone, so that it can be told
// before any work. The rules change with the readers' versions: those of Marlin and exllama were
// read in vLLM's source, those of its CPU path were seen in vLLM 0.32.0 (docs/file_formats.md).
#include <map>
#include <utility>

#include "base/text.h"
#include "checkpoint/layouts/gptq_config.h"
#include "checkpoint/layouts/reader_warnings.h"

namespace nibble::layouts {
namespace {

class Readers {
 public:
  explicit Readers(const LayoutSettings& settings) : settings_(settings) {}

  void add(const ShapedModule& module) {
    ++modules_;
    const int bits = module.settings.grid->bits;
    const std::size_t group = module.settings.group_size;
    if (!settings_.symmetric)
      warn("vllm.marlin.sym", "vLLM 0.32 (Marlin kernels, CPU) needs \"sym\": true");
    if (settings_.group_index)
      warn("vllm.desc_act", "vLLM 0.32 refuses \"desc_act\": true (--act-order gidx)");
    if (bits != 4 && bits != 8)
      warn("vllm.marlin.bits",
           cat("vLLM's Marlin kernels need 4 or 8 bits, its CPU path 4; not ", bits));
    if (bits == 8) warn("vllm.cpu.bits", "vLLM 0.32 on a CPU loads 4 bits only, not 8");
    if (group != 0 && group != 32 && group != 64 && group != 128)
      warn("vllm.marlin.group_size",
           cat("vLLM's Marlin kernels need groups of 32, 64, 128 or whole rows, not ", group));
    if (module.rows % 64 != 0 || module.columns % 128 != 0)
      warn("vllm.marlin.shape",
           cat("vLLM's Marlin kernels need outputs divisible by 64 and inputs by 128; ",
               module.name, " is ", module.rows, " x ", module.columns));
    if (group != 0 && module.columns % group != 0)
      warn("vllm.exllama.group_size", "vLLM's exllama kernels need groups that divide the inputs");
    if (const std::string fused = fused_name(module.name); !fused.empty()) {
      const auto [entry, first] = fused_.try_emplace(fused, bits, group);
      if (!first && entry->second != std::pair(bits, group))
        warn("vllm.fused", cat("parts of ", fused, " differ in bits or groups; vLLM fuses them"));
    }
  }

  std::vector<Finding> findings() const { return warnings_.findings(modules_); }

 private:
  void warn(const std::string& rule, const std::string& text) { warnings_.add(rule, text); }

  const LayoutSettings& settings_;
  std::size_t modules_ = 0;
  ReaderWarnings warnings_;
  std::map<std::string, std::pair<int, std::size_t>> fused_;
};

}  // namespace

std::vector<Finding> gptq_consumers(std::span<const ShapedModule> modules,
                                    const LayoutSettings& settings) {
  Readers readers(settings);
  for (const ShapedModule& module : modules) readers.add(module);
  return readers.findings();
}

}  // namespace nibble::layouts
