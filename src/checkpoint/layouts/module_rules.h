// Rules of a config that give some modules settings of their own: regular expressions in Python's
// syntax, of which the first that matches the start of a module's full name decides.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/regex/regex.h"
#include "checkpoint/layout.h"

namespace nibble::layouts {

// Rules are asked by several threads at once.
class ModuleRules {
 public:
  ModuleRules();

  // No settings: the rule leaves its modules alone. Throws what Regex throws, and kCorruptFile when
  // the patterns are too many together.
  void add(const std::string& pattern, std::optional<ModuleSettings> settings);

  // Of the first rule that matches; null when none does or that rule has no settings. Throws
  // kUnsupported naming pattern and module when matching takes too many steps: all modules of a
  // checkpoint share them, so rules are compiled and kept once for each checkpoint.
  const ModuleSettings* find(const std::string& module) const;
  // Which rule that is, counted from 0 as they were added; none: none matches. Throws as `find`.
  std::optional<std::size_t> match(const std::string& module) const;

  // The pattern that matches this name and no other.
  static std::string exactly(const std::string& name);

  bool empty() const { return rules_.empty(); }

 private:
  bool matches(const Regex& regex, const std::string& module) const;

  struct Expression {
    std::size_t rule;
    std::shared_ptr<const Regex> regex;
  };
  std::vector<std::optional<ModuleSettings>> rules_;
  // Nibble and GPTQModel write one rule for each module, "model\.layers\.0\.mlp\.up_proj$": no
  // engine is needed for those.
  std::map<std::string, std::size_t> names_;
  std::vector<Expression> expressions_;
  std::size_t expression_bytes_ = 0;
  std::shared_ptr<std::atomic<std::uint64_t>> steps_left_;
};

}  // namespace nibble::layouts
