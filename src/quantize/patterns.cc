#include "quantize/patterns.h"

#include "base/text.h"
#include "nibble/error.h"

namespace nibble {

// The user's pattern is to blame, not a file.
template <typename Action>
bool Patterns::as_argument(Action action) const {
  try {
    return action();
  } catch (const Error& problem) {
    if (problem.kind() == ErrorKind::kInterrupted) throw;
    throw Error(ErrorKind::kInvalidArgument, cat(option_, ": ", problem.what()));
  }
}

void Patterns::add(const std::string& text) {
  as_argument([&] {
    patterns_.push_back({std::make_unique<Regex>(text, Regex::Syntax::kPython), 0});
    return false;
  });
}

std::optional<std::size_t> Patterns::match(const std::string& name) {
  for (std::size_t i = 0; i < patterns_.size(); ++i)
    if (as_argument([&] { return patterns_[i].regex->matches_anywhere(name, steps_left_); })) {
      ++patterns_[i].matches;
      return i;
    }
  return std::nullopt;
}

void Patterns::require_matches() const {
  for (const Pattern& pattern : patterns_)
    if (pattern.matches == 0)
      throw Error(
          ErrorKind::kInvalidArgument,
          cat(option_, " \"", pattern.regex->pattern(), "\" matches no module that is left"),
          "module names look like model.layers.0.mlp.down_proj (nibble show MODEL lists them)");
}

}  // namespace nibble
