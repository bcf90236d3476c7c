#include "checkpoint/layouts/module_rules.h"

#include <algorithm>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble::layouts {
namespace {

constexpr std::size_t kMaxPatternBytes = 1000;
constexpr std::size_t kMaxBytesTogether = 64 << 10;  // Oniguruma may take a kilobyte for each
constexpr std::uint64_t kStepsTogether = 5'000'000;  // of matching, for all modules

// The one name that such a pattern matches: names with escaped dots, and an end.
std::optional<std::string> only_name(std::string_view pattern) {
  if (pattern.starts_with('^')) pattern.remove_prefix(1);
  if (pattern.ends_with('$') && !pattern.ends_with("\\$"))
    pattern.remove_suffix(1);
  else if (pattern.ends_with("\\Z"))
    pattern.remove_suffix(2);
  else
    return std::nullopt;
  std::string name;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '_' || c == '-';
    if (c == '\\' && i + 1 < pattern.size() && pattern[i + 1] == '.')
      ++i;
    else if (!plain)
      return std::nullopt;
    name += pattern[i];
  }
  return name;
}

}  // namespace

ModuleRules::ModuleRules()
    : steps_left_(std::make_shared<std::atomic<std::uint64_t>>(kStepsTogether)) {}

void ModuleRules::add(const std::string& pattern, std::optional<ModuleSettings> settings) {
  if (pattern.size() > kMaxPatternBytes)
    throw Error(ErrorKind::kCorruptFile,
                cat("a pattern is longer than ", kMaxPatternBytes, " bytes"));
  const std::size_t rule = rules_.size();
  if (const auto name = only_name(pattern)) {
    names_.emplace(*name, rule);  // an earlier rule for the same name stays
  } else {
    expression_bytes_ += pattern.size();
    if (expression_bytes_ > kMaxBytesTogether)
      throw Error(ErrorKind::kCorruptFile,
                  cat("the patterns together have more than ", kMaxBytesTogether, " bytes"));
    expressions_.push_back({rule, std::make_shared<const Regex>(pattern, Regex::Syntax::kPython)});
  }
  rules_.push_back(settings);
}

std::string ModuleRules::exactly(const std::string& name) {
  std::string pattern;
  for (const char c : name) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '_' || c == '-' || static_cast<unsigned char>(c) >= 0x80;
    if (!plain) pattern += '\\';
    pattern += c;
  }
  return pattern + "$";
}

bool ModuleRules::matches(const Regex& regex, const std::string& module) const {
  const std::uint64_t before = steps_left_->load();
  std::uint64_t left = before;
  const bool result = regex.matches_start(module, left);
  steps_left_->fetch_sub(std::min(before - left, steps_left_->load()));
  return result;
}

std::optional<std::size_t> ModuleRules::match(const std::string& module) const {
  const auto named = names_.find(module);
  std::size_t rule = named == names_.end() ? rules_.size() : named->second;
  for (const Expression& expression : expressions_) {
    if (expression.rule > rule) break;
    if (!matches(*expression.regex, module)) continue;
    rule = expression.rule;
    break;
  }
  if (rule == rules_.size()) return std::nullopt;
  return rule;
}

const ModuleSettings* ModuleRules::find(const std::string& module) const {
  const auto rule = match(module);
  return rule && rules_[*rule] ? &*rules_[*rule] : nullptr;
}

}  // namespace nibble::layouts
