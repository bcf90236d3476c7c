// The rules a finished GPTQ checkpoint must keep, then those that its readers add
// (gptq_consumers.cc). `nibble verify` prints them.
#include <map>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "checkpoint/layouts/gptq_config.h"
#include "nibble/error.h"

namespace nibble::layouts {
namespace {

class Checker {
 public:
  Checker(const CheckpointReader& reader, const Json& json)
      : reader_(reader), config_(read_gptq_config(json)) {}

  std::vector<Finding> run() {
    if (is_second_dialect(reader_, config_)) {
      config_.checkpoint_format = "gptq_v2";
      findings_.push_back({false, "gptq.dialect", kSecondDialectNote});
    }
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
    LayoutSettings settings;
    settings.symmetric = config_.symmetric;
    settings.group_index = config_.desc_act;
    const auto refusals = gptq_consumers(shapes_, settings);
    findings_.insert(findings_.end(), refusals.begin(), refusals.end());
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
    const std::size_t group = codes.group_size == codes.columns ? 0 : codes.group_size;
    shapes_.push_back({name, codes.rows, codes.columns, {codes.grid, group}});
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

  const CheckpointReader& reader_;
  GptqConfig config_;
  std::vector<Finding> findings_;
  std::map<std::string, std::size_t> counts_;
  std::map<std::string, std::string> texts_;
  std::vector<ShapedModule> shapes_;
};

}  // namespace

std::vector<Finding> check_gptq(const CheckpointReader& reader, const Json& config) {
  return Checker(reader, config).run();
}

}  // namespace nibble::layouts
