// Regular expressions that a user names modules by.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/regex/regex.h"

namespace nibble {

// Patterns in Python's syntax, each of which must match at least one module. One that is none, or
// that needs too much work, is refused as an argument.
class Patterns {
 public:
  explicit Patterns(std::string option) : option_(std::move(option)) {}
  void add(const std::string& text);
  // The first that is found in `name`.
  std::optional<std::size_t> match(const std::string& name);
  void require_matches() const;

 private:
  struct Pattern {
    std::unique_ptr<Regex> regex;
    std::size_t matches = 0;
  };
  template <typename Action>
  bool as_argument(Action action) const;

  std::string option_;  // "--skip"
  std::vector<Pattern> patterns_;
  std::uint64_t steps_left_ = 20'000'000;  // of matching, for all modules together
};

}  // namespace nibble
