#include "quantize/options.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/check.h"
#include "base/number.h"
#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {}  // namespace

Options::Options(std::span<const OptionSpec* const> specs) {
  for (const OptionSpec* spec : specs)
    values_.emplace(std::string(spec->name), std::string(spec->initial));
}

void Options::set(const OptionSpec& spec, std::string value) {
  const auto refuse = [&](const std::string& what, const std::string& fix) {
    throw Error(ErrorKind::kInvalidArgument, cat("--", spec.name, " ", what), fix);
  };
  std::vector<std::string> words(spec.words.begin(), spec.words.end());
  if (std::find(words.begin(), words.end(), value) == words.end()) {
    if (!spec.is_number()) {
      refuse(cat("\"", value, "\" is not known", did_you_mean(value, words)),
             cat("one of: ", join(words, ", ")));
    }
    const auto number = parse_number(value);
    const std::string range =
        cat(spec.whole ? "a whole number" : "a number", " from ", spec.lowest, " to ", spec.highest,
            words.empty() ? "" : cat(", or ", join(words, ", ")));
    if (!number) refuse(cat("\"", value, "\" is not a number"), range);
    if (!(*number >= spec.lowest && *number <= spec.highest))
      refuse(cat(value, " is not between ", spec.lowest, " and ", spec.highest), range);
    if (spec.whole && *number != std::floor(*number))
      refuse(cat(value, " is not a whole number"), range);
  }
  values_.insert_or_assign(std::string(spec.name), std::move(value));
}

const std::string& Options::text(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end())
    throw Error(ErrorKind::kInvalidArgument, cat("the option \"", name, "\" was never declared"));
  return found->second;
}

double Options::number(std::string_view name) const {
  const auto number = parse_number(text(name));
  if (!number)
    throw Error(ErrorKind::kInvalidArgument, cat("--", name, " was not worked out to a number"));
  return *number;
}

}  // namespace nibble
