// A literal is searched for, a well-known expression scanned by hand, any other one goes to the
// engine.
#include "tokenizer/pattern.h"

#include "tokenizer/component.h"

namespace nibble::tokenizer {

Pattern Pattern::regex(std::string_view expression) {
  Pattern pattern;
  pattern.scanner_ = known_scanner(expression);
  if (pattern.scanner_ == nullptr) pattern.regex_ = std::make_unique<Regex>(expression);
  return pattern;
}

Pattern Pattern::text(std::string_view literal) {
  Pattern pattern;
  pattern.literal_ = literal;
  return pattern;
}

Pattern Pattern::read(const Json& settings) {
  const Json& pattern = required(settings, "pattern");
  if (pattern.is_object() && pattern.contains("Regex"))
    return regex(required_string(pattern, "Regex"));
  return text(required_string(pattern, "String"));
}

void Pattern::each_match(std::string_view text,
                         const std::function<void(std::size_t, std::size_t)>& found) const {
  if (scanner_ != nullptr) {
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = scanner_->match_end(text, begin);
      found(begin, end);
      begin = end;
    }
    return;
  }
  if (regex_ != nullptr) return regex_->each_match(text, found);
  if (literal_.empty()) return;
  for (std::size_t at = text.find(literal_); at != std::string_view::npos;
       at = text.find(literal_, at + literal_.size()))
    found(at, at + literal_.size());
}

}  // namespace nibble::tokenizer
