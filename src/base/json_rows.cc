// Finds where each value ends before it is parsed, so that a file of any size costs one row of
// memory.
#include "base/json_rows.h"

#include <algorithm>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::size_t kMaxRowBytes = 64u << 20;
constexpr std::size_t kLookBytes = 64u << 10;  // that decide whether lines of strings are JSON

std::size_t after_blanks(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of(kBlanks, at), text.size());
}

char char_at(std::string_view text, std::size_t at) { return at < text.size() ? text[at] : '\0'; }

std::string_view line_at(std::string_view text, std::size_t at) {
  return text.substr(at, std::min(text.find('\n', at), text.size()) - at);
}

// One past the string that begins at `at`; npos when its line ends first.
std::size_t end_of_string(std::string_view text, std::size_t at) {
  for (std::size_t i = at + 1; i < text.size() && text[i] != '\n'; ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      return i + 1;
  }
  return text.npos;
}

// One past the object or array that begins at `at`; npos when it does not end. Kinds of brackets
// are the parser's business.
std::size_t end_of_brackets(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  for (std::size_t i = text.find_first_of("{}[]\"", at); i < text.size();
       i = text.find_first_of("{}[]\"", i)) {
    if (text[i] == '"') {
      i = end_of_string(text, i);
      continue;
    }
    depth += text[i] == '{' || text[i] == '[' ? 1 : static_cast<std::size_t>(-1);
    if (++i; depth == 0) return i;
  }
  return text.npos;
}

// {"key":   or   {}   alone on its line
bool begins_object(std::string_view text, std::size_t at) {
  if (char_at(text, at) != '{') return false;
  const std::size_t inside = after_blanks(text, at + 1);
  const char c = char_at(text, inside);
  if (c == '}')
    return after_blanks(line_at(text, inside + 1), 0) == line_at(text, inside + 1).size();
  if (c == '\'') {  // as Python prints a dictionary: damaged JSON, and no prose
    const std::size_t end = line_at(text, inside + 1).find("':");
    return end != text.npos && end < 64;
  }
  if (c != '"') return false;
  const std::size_t end = end_of_string(text, inside);
  return end != text.npos && char_at(text, after_blanks(text, end)) == ':';
}

// Every line that is not blank holds JSON, at least `least` of them; for forms that prose can have
// too.
bool all_lines_are_json(std::string_view text, std::size_t least) {
  const bool whole = text.size() <= kLookBytes;
  text = text.substr(0, kLookBytes);
  if (!whole) text = text.substr(0, text.rfind('\n') + 1);
  std::size_t lines = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view line = line_at(text, at);
    at += line.size() + 1;
    if (after_blanks(line, 0) == line.size()) continue;
    if (!Json::accept(line)) return false;
    ++lines;
  }
  return lines >= least;
}

bool begins_array(std::string_view text, std::size_t at) {
  const std::size_t inside = after_blanks(text, at + 1);
  switch (char_at(text, inside)) {
    case '{':
      return begins_object(text, inside);
    case '"': {
      const std::size_t end = end_of_string(text, inside);
      if (end == text.npos) return false;
      const std::size_t next = after_blanks(text, end);
      if (char_at(text, next) == ',') {
        const char second = char_at(text, after_blanks(text, next + 1));
        if (second != '"' && second != '{' && second != '[') return false;
      } else if (char_at(text, next) != ']') {
        return false;
      }
      // ["Yes", "No"] and then more: a sentence.
      const std::size_t close = end_of_brackets(text, at);
      return close == text.npos || text.substr(at, close - at).find('\n') != text.npos ||
             after_blanks(text, close) == text.size() || all_lines_are_json(text, 2);
    }
    default:
      return Json::accept(text) || all_lines_are_json(text, 1);
  }
}

}  // namespace

bool JsonRows::recognise(std::string_view text) {
  const std::size_t at = after_blanks(text, 0);
  switch (char_at(text, at)) {
    case '{':
      return begins_object(text, at);
    case '[':
      return begins_array(text, at);
    case '"':
      return all_lines_are_json(text, 2);
    default:
      return false;
  }
}

JsonRows::JsonRows(std::string_view text) : text_(text) {
  skip_blanks();
  if (char_at(text_, at_) != '[') return;
  // One array that is the whole text holds the rows; arrays on several lines are rows themselves.
  const std::size_t end = end_of_brackets(text_, at_);
  const bool lines = end != text_.npos && char_at(text_, after_blanks(text_, end)) == '[';
  if (lines) return;
  in_array_ = true;
  ++at_;
}

void JsonRows::skip_blanks() {
  const std::size_t end = after_blanks(text_, at_);
  line_ +=
      static_cast<std::size_t>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(at_),
                                          text_.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
  at_ = end;
}

void JsonRows::fail(std::string_view problem) const {
  throw Error(ErrorKind::kCorruptFile, cat("line ", line_, ": ", problem),
              "write one JSON value on each line, or one JSON array of them");
}

std::optional<JsonRow> JsonRows::next() {
  skip_blanks();
  if (in_array_) {
    if (char_at(text_, at_) == ']') {
      ++at_;
      skip_blanks();
      if (at_ < text_.size()) fail("more follows the end of the array");
      in_array_ = false;
      return std::nullopt;
    }
    if (at_ == text_.size()) fail("the array does not end");
    if (!first_) {
      if (text_[at_] != ',') fail("expected a comma or the end of the array behind a row");
      ++at_;
      skip_blanks();
    }
  } else if (at_ == text_.size()) {
    return std::nullopt;
  }
  first_ = false;
  const char c = char_at(text_, at_);
  std::size_t end = text_.npos;
  if (c == '{' || c == '[') {
    end = end_of_brackets(text_, at_);
    if (end == text_.npos) fail("the JSON value that begins here does not end");
  } else if (c == '"') {
    end = end_of_string(text_, at_);
    if (end == text_.npos) fail("the string that begins here does not end on its line");
  } else {
    end = std::min(text_.find_first_of(in_array_ ? ",]\r\n" : "\r\n", at_), text_.size());
  }
  if (end - at_ > kMaxRowBytes)
    fail(cat("a row of ", human_bytes(end - at_), "; the limit is ", human_bytes(kMaxRowBytes)));
  const std::string_view row = text_.substr(at_, end - at_);
  JsonRow result;
  result.line = line_;
  result.value = with_context(cat("line ", line_), [&] { return parse_json(row); });
  line_ += static_cast<std::size_t>(std::count(row.begin(), row.end(), '\n'));
  at_ = end;
  return result;
}

}  // namespace nibble
