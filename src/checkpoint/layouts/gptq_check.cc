// The rules a finished GPTQ checkpoint must keep, and the ones its consumers add (formats: vLLM's
// Marlin and exllama kernels). `nibble verify` prints them.
#include <map>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "checkpoint/layouts/gptq_config.h"
#include "nibble/error.h"

namespace nibble::layouts {

namespace {

// Consumers fuse these into one matrix and need the same bits and group size in all parts.
std::string fused_name(const std::string& module) {
  for (const std::string_view part : {"q_proj", "k_proj", "v_proj"})
    if (module.ends_with(part)) return module.substr(0, module.size() - part.size()) + "qkv_proj";
  for (const std::string_view part : {"gate_proj", "up_proj"})
    if (module.ends_with(part))
      return module.substr(0, module.size() - part.size()) + "gate_up_proj";
  return {};
}

class Checker {
 public:
  Checker(const CheckpointReader& reader, const Json& json)
      : reader_(reader), config_(read_gptq_config(json)) {}

  std::vector<Finding> run() {
    std::size_t modules = 0;
    for (const TensorInfo& info : reader_.tensors()) {
      if (!info.name.ends_with(".qweight")) continue;
      ++modules;
      module(info.name.substr(0, info.name.size() - 8));
    }
    if (modules == 0)
      error("gptq.modules", "the config says GPTQ, but no tensor is called *.qweight");
    for (const auto& [rule, count] : counts_)
      findings_.push_back(
          {false, rule, cat(texts_[rule], " (", count, " of ", modules, " modules)")});
    return std::move(findings_);
  }

 private:
  void error(std::string rule, std::string text) {
    findings_.push_back({true, std::move(rule), std::move(text)});
  }
  void warn(const std::string& rule, const std::string& text) {
    ++counts_[rule];
    texts_.emplace(rule, text);
  }

  void module(const std::string& name) {
    Codes codes;
    try {
      codes = codes_of(*open_gptq_module(reader_, config_, name));
    } catch (const Error& problem) {
      error("gptq.tensors", problem.what());
      return;
    }
    const bool regular_index = codes.group_index.empty();
    if (!config_.desc_act && !regular_index)
      error("gptq.g_idx", cat("module \"", name,
                              "\": g_idx is not column / group_size although "
                              "desc_act is false; kernels would ignore it"));
    check_zeros(name, codes);
    check_consumers(name, codes);
  }

  void check_zeros(const std::string& name, const Codes& codes) {
    const float middle = static_cast<float>(1 << (codes.bits() - 1));
    bool all_middle = true, any_zero = false;
    for (const float zero : codes.zeros) {
      all_middle &= zero == middle;
      any_zero |= zero == 0;
    }
    if (config_.symmetric && !all_middle)
      error("gptq.sym",
            cat("module \"", name, "\": \"sym\" is true, but a zero differs from ", middle));
    if (any_zero && !config_.stores_true_zero())
      warn("gptq.v1_zero", "a zero of 0 stored as zero - 1: readers disagree about it");
  }

  void check_consumers(const std::string& name, const Codes& codes) {
    const std::size_t group = codes.group_size == codes.columns ? 0 : codes.group_size;
    if (!config_.symmetric) warn("vllm.marlin.sym", "vLLM's Marlin kernels need \"sym\": true");
    if (codes.bits() != 4 && codes.bits() != 8)
      warn("vllm.marlin.bits", cat("vLLM's Marlin kernels need 4 or 8 bits, not ", codes.bits()));
    if (group != 0 && group != 32 && group != 64 && group != 128)
      warn("vllm.marlin.group_size",
           cat("vLLM's Marlin kernels need groups of 32, 64, 128 or whole rows, not ", group));
    if (codes.rows % 64 != 0 || codes.columns % 128 != 0)
      warn("vllm.marlin.shape", cat("vLLM's Marlin kernels need outputs divisible by 64 and inputs "
                                    "by 128; ",
                                    name, " is ", codes.rows, " x ", codes.columns));
    if (codes.columns % codes.group_size != 0)
      warn("vllm.exllama.group_size", "vLLM's exllama kernels need groups that divide the inputs");
    if (const std::string fused = fused_name(name); !fused.empty()) {
      const auto [entry, first] = fused_.try_emplace(fused, codes.bits(), group);
      if (!first && entry->second != std::pair(codes.bits(), group))
        warn("vllm.fused",
             cat("parts of ", fused, " differ in bits or group size; vLLM fuses them"));
    }
  }

  const CheckpointReader& reader_;
  GptqConfig config_;
  std::vector<Finding> findings_;
  std::map<std::string, std::size_t> counts_;
  std::map<std::string, std::string> texts_;
  std::map<std::string, std::pair<int, std::size_t>> fused_;
};

}  // namespace

std::vector<Finding> check_gptq(const CheckpointReader& reader, const Json& config) {
  return Checker(reader, config).run();
}

}  // namespace nibble::layouts
