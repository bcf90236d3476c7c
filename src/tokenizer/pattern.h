// {"String": "…"} or {"Regex": "…"}: what Split and Replace look for.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/regex/regex.h"
#include "tokenizer/scanner.h"

namespace nibble::tokenizer {

class Pattern {
 public:
  static Pattern regex(std::string_view expression);
  static Pattern text(std::string_view literal);
  // The value of "pattern".
  static Pattern read(const Json& settings);

  // found(begin, end) for each match, from left to right, none overlapping.
  void each_match(std::string_view text,
                  const std::function<void(std::size_t, std::size_t)>& found) const;

 private:
  std::string literal_;
  std::unique_ptr<Regex> regex_;
  const Scanner* scanner_ = nullptr;  // the same pattern by hand, for the well-known ones
};

}  // namespace nibble::tokenizer
