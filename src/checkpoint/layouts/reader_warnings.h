// What Layout::consumers collect: one warning for each rule, however many modules break it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/text.h"
#include "checkpoint/layout.h"

namespace nibble::layouts {

// A note of opened modules whose config asks for what is no matter of weights.
inline constexpr std::string_view kRoundsInputsNote =
    "the config asks readers to round the inputs of linear layers too: here --compute tells";

class ReaderWarnings {
 public:
  // `text` counts for the first module that breaks the rule.
  void add(const std::string& rule, const std::string& text) {
    ++warnings_.try_emplace(rule, Warning{text}).first->second.count;
  }

  std::vector<Finding> findings(std::size_t modules) const {
    std::vector<Finding> findings;
    for (const auto& [rule, warning] : warnings_)
      findings.push_back({.error = false,
                          .rule = rule,
                          .text = cat(warning.text, " (", warning.count, " of ", modules,
                                      modules == 1 ? " module)" : " modules)")});
    return findings;
  }

 private:
  struct Warning {
    std::string text;
    std::size_t count = 0;
  };
  std::map<std::string, Warning> warnings_;
};

// Readers make one matrix of these and need the same bits and group size in all parts.
inline std::string fused_name(const std::string& module) {
  for (const std::string_view part : {"q_proj", "k_proj", "v_proj"})
    if (module.ends_with(part)) return module.substr(0, module.size() - part.size()) + "qkv_proj";
  for (const std::string_view part : {"gate_proj", "up_proj"})
    if (module.ends_with(part))
      return module.substr(0, module.size() - part.size()) + "gate_up_proj";
  return {};
}

}  // namespace nibble::layouts
