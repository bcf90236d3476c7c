#include "chat/lexer.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"
#include "chat/characters.h"
#include "chat/syntax.h"
#include "nibble/error.h"

namespace nibble::chat {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// Line ends become \n; the last one is dropped.
std::string unix_lines(std::string_view source) {
  std::string result;
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    result += source[i] == '\r' ? '\n' : source[i];
  }
  if (result.ends_with('\n')) result.pop_back();
  return result;
}

class Lexer {
 public:
  explicit Lexer(std::string source) : source_(std::move(source)) {}

  std::vector<Token> run() {
    while (position_ < source_.size()) {
      const std::size_t tag = next_tag();
      if (tag == std::string::npos) {
        add_text(source_.substr(position_));
        break;
      }
      const char kind = source_[tag + 1];
      const char sign = tag + 2 < source_.size() ? source_[tag + 2] : ' ';
      const bool signed_tag = sign == '-' || sign == '+';
      text_before_tag(tag, sign, kind);
      move_to(tag + 2 + (signed_tag ? 1 : 0));
      if (kind == '#')
        comment();
      else if (kind == '%' && raw_begins())
        raw();
      else
        tokens(kind == '{');
    }
    tokens_.push_back({TokenKind::kEnd, "", {}, line_});
    return std::move(tokens_);
  }

 private:
  std::size_t next_tag() const {
    for (std::size_t i = position_; (i = source_.find('{', i)) != std::string::npos; ++i)
      if (i + 1 < source_.size() &&
          (source_[i + 1] == '{' || source_[i + 1] == '%' || source_[i + 1] == '#'))
        return i;
    return std::string::npos;
  }

  void move_to(std::size_t position) {
    line_ +=
        static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(position_),
                                    source_.begin() + static_cast<std::ptrdiff_t>(position), '\n'));
    position_ = position;
  }

  void add_text(std::string_view text) {
    if (!text.empty()) tokens_.push_back({TokenKind::kText, std::string(text), {}, line_});
  }

  // The literal text up to a tag, less what the tag takes away from its end.
  std::string_view less_blanks(std::string_view text, char sign, bool output) const {
    if (sign == '-') return strip(text, false, true);
    if (sign == '+' || output) return text;
    const std::size_t line_end = text.rfind('\n');
    if (line_end == text.npos && !at_line_start_) return text;
    const std::size_t begin = line_end == text.npos ? 0 : line_end + 1;
    return strip(text.substr(begin), true, false).empty() ? text.substr(0, begin) : text;
  }

  void text_before_tag(std::size_t tag, char sign, char kind) {
    add_text(less_blanks(std::string_view(source_).substr(position_, tag - position_), sign,
                         kind == '{'));
  }

  // Behind the end of a tag: "-" takes all white space, a statement or comment one line end.
  void end_tag(std::size_t end, char sign, bool output) {
    move_to(end);
    std::size_t after = end;
    if (sign == '-') {
      const std::string_view rest = std::string_view(source_).substr(end);
      after += rest.size() - strip(rest, true, false).size();
    } else if (!output && sign != '+' && end < source_.size() && source_[end] == '\n') {
      ++after;
    }
    move_to(after);
    at_line_start_ = after > 0 && source_[after - 1] == '\n';
  }

  void comment() {
    const std::size_t end = source_.find("#}", position_);
    if (end == std::string::npos) fail_at(line_, "the comment has no end: expected #}");
    const char before = end > position_ ? source_[end - 1] : ' ';
    end_tag(end + 2, before, false);
  }

  std::size_t skip_spaces(std::size_t i) const {
    while (i < source_.size() && is_space(static_cast<unsigned char>(source_[i])) &&
           static_cast<unsigned char>(source_[i]) < 0x80)
      ++i;
    return i;
  }

  // The end of "WORD %}" at `i`, with its sign; npos when something else stands there.
  std::size_t word_tag_end(std::size_t i, std::string_view word, char& sign) const {
    i = skip_spaces(i);
    if (source_.compare(i, word.size(), word) != 0) return std::string::npos;
    i = skip_spaces(i + word.size());
    sign = i < source_.size() && (source_[i] == '-' || source_[i] == '+') ? source_[i] : ' ';
    if (sign != ' ') ++i;
    return source_.compare(i, 2, "%}") == 0 ? i + 2 : std::string::npos;
  }

  bool raw_begins() const {
    char sign = ' ';
    return word_tag_end(position_, "raw", sign) != std::string::npos;
  }

  void raw() {
    char sign = ' ';
    const int line = line_;
    const std::size_t begin = word_tag_end(position_, "raw", sign);
    end_tag(begin, sign == '-' ? '-' : '+', false);
    for (std::size_t tag = position_; (tag = source_.find("{%", tag)) != std::string::npos; ++tag) {
      std::size_t word = tag + 2;
      char begin_sign = word < source_.size() ? source_[word] : ' ';
      if (begin_sign == '-' || begin_sign == '+') ++word;
      const std::size_t end = word_tag_end(word, "endraw", sign);
      if (end == std::string::npos) continue;
      add_text(less_blanks(std::string_view(source_).substr(position_, tag - position_), begin_sign,
                           false));
      end_tag(end, sign, false);
      return;
    }
    fail_at(line, "raw has no end: expected {% endraw %}");
  }

  // Tokens up to the end of the tag.
  void tokens(bool output) {
    const int first_line = line_;
    const char closing = output ? '}' : '%';
    tokens_.push_back(
        {output ? TokenKind::kOutputBegin : TokenKind::kStatementBegin, "", {}, line_});
    std::string open;
    for (;;) {
      move_to(skip_spaces(position_));
      if (position_ >= source_.size())
        fail_at(first_line, cat("the tag has no end: expected ", output ? "}}" : "%}"));
      const char c = source_[position_];
      if (open.empty()) {
        const bool has_sign = (c == '-' || (c == '+' && !output)) &&
                              source_.compare(position_ + 1, 2, {closing, '}'}) == 0;
        if (has_sign || source_.compare(position_, 2, {closing, '}'}) == 0) {
          tokens_.push_back(
              {output ? TokenKind::kOutputEnd : TokenKind::kStatementEnd, "", {}, line_});
          end_tag(position_ + (has_sign ? 3 : 2), has_sign ? c : ' ', output);
          return;
        }
      }
      if (c == '"' || c == '\'')
        string(c);
      else if (is_digit(c))
        number();
      else if (is_name_start(c))
        name();
      else
        operation(open);
    }
  }

  void name() {
    std::size_t end = position_;
    while (end < source_.size() && (is_name_start(source_[end]) || is_digit(source_[end]))) ++end;
    tokens_.push_back({TokenKind::kName, source_.substr(position_, end - position_), {}, line_});
    move_to(end);
  }

  void operation(std::string& open) {
    static constexpr std::array<std::string_view, 26> kOperators = {
        "==", "!=", "<=", ">=", "//", "**", "+", "-", "/", "*", "%", "~", "|",
        "(",  ")",  "[",  "]",  "{",  "}",  ".", ",", ":", ";", "=", "<", ">"};
    const auto found = std::find_if(kOperators.begin(), kOperators.end(), [&](auto text) {
      return source_.compare(position_, text.size(), text) == 0;
    });
    if (found == kOperators.end())
      fail_at(line_, cat("unexpected character \"",
                         strip(std::string_view(source_).substr(position_, 1), true, true), "\""));
    const char c = (*found)[0];
    if (c == '(' || c == '[' || c == '{') open += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c == ')' || c == ']' || c == '}') {
      if (open.empty() || open.back() != c)
        fail_at(line_, open.empty() ? cat("unexpected \"", c, "\"")
                                    : cat("expected \"", open.back(), "\", found \"", c, "\""));
      open.pop_back();
    }
    tokens_.push_back({TokenKind::kOperator, std::string(*found), {}, line_});
    move_to(position_ + found->size());
  }

  void number() {
    std::string digits;
    std::size_t i = position_;
    const auto take = [&] {
      while (i < source_.size() &&
             (is_digit(source_[i]) ||
              (source_[i] == '_' && i + 1 < source_.size() && is_digit(source_[i + 1])))) {
        if (source_[i] != '_') digits += source_[i];
        ++i;
      }
    };
    take();
    bool whole = true;
    const auto digit_at = [&](std::size_t place) {
      return place < source_.size() && is_digit(source_[place]);
    };
    const bool after_dot = position_ > 0 && source_[position_ - 1] == '.';
    if (!after_dot && i < source_.size() && source_[i] == '.' && digit_at(i + 1)) {
      whole = false;
      digits += source_[i++];
      take();
    }
    if (!after_dot && i < source_.size() && (source_[i] == 'e' || source_[i] == 'E')) {
      const bool has_sign =
          i + 1 < source_.size() && (source_[i + 1] == '-' || source_[i + 1] == '+');
      if (digit_at(i + (has_sign ? 2 : 1))) {
        whole = false;
        digits += 'e';
        if (has_sign && source_[i + 1] == '-') digits += '-';
        i += has_sign ? 2 : 1;
        take();
      }
    }
    Token token{TokenKind::kNumber, digits, {}, line_};
    const char *begin = digits.data(), *end = begin + digits.size();
    std::int64_t integer = 0;
    double real = 0;
    const bool fine = whole ? std::from_chars(begin, end, integer).ec == std::errc()
                            : std::from_chars(begin, end, real).ec == std::errc();
    if (!fine) fail_at(line_, cat("the number ", digits.substr(0, 40), " is too large"));
    token.number = whole ? Value(integer) : Value(real);
    tokens_.push_back(std::move(token));
    move_to(i);
  }

  void string(char quote) {
    Token token{TokenKind::kString, "", {}, line_};
    std::size_t i = position_ + 1;
    while (i < source_.size() && source_[i] != quote) {
      if (source_[i] == '\\' && i + 1 < source_.size())
        i = escape(i + 1, token.text);
      else
        token.text += source_[i++];
    }
    if (i >= source_.size()) fail_at(line_, cat("the string has no end: expected ", quote));
    tokens_.push_back(std::move(token));
    move_to(i + 1);
  }

  // What the escape at `i`, behind the backslash, stands for; answers the place behind it.
  std::size_t escape(std::size_t i, std::string& text) const {
    static constexpr std::string_view kLetters = "ntrabfv\\'\"";
    static constexpr std::string_view kMeanings = "\n\t\r\a\b\f\v\\'\"";
    const char c = source_[i];
    if (const auto found = kLetters.find(c); found != kLetters.npos) {
      text += kMeanings[found];
      return i + 1;
    }
    if (c == '\n') return i + 1;
    const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    std::uint32_t code = 0;
    if (digits > 0) {
      const char* begin = source_.data() + i + 1;
      const char* end = source_.data() + std::min(source_.size(), i + 1 + digits);
      const auto read = std::from_chars(begin, end, code, 16);
      if (read.ptr != begin + digits)
        fail_at(line_, cat("expected ", digits, " hexadecimal digits after \\", c));
      append_character(text, code);
      return i + 1 + digits;
    }
    if (c >= '0' && c <= '7') {
      const char* begin = source_.data() + i;
      const char* end = source_.data() + std::min(source_.size(), i + 3);
      const auto read = std::from_chars(begin, end, code, 8);
      append_character(text, code);
      return i + static_cast<std::size_t>(read.ptr - begin);
    }
    text += '\\';  // no escape: both characters stay
    text += c;
    return i + 1;
  }

  std::string source_;
  std::size_t position_ = 0;
  int line_ = 1;
  bool at_line_start_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

void fail_at(int line, const std::string& problem) {
  throw Error(ErrorKind::kCorruptFile, cat("chat template, line ", line, ": ", problem));
}

std::vector<Token> tokenize_template(std::string_view source) {
  if (source.size() > kMaxTemplateBytes)
    throw Error(ErrorKind::kUnsupported, cat("the chat template has ", human_bytes(source.size()),
                                             "; at most ", human_bytes(kMaxTemplateBytes)));
  if (!is_valid_utf8(source))
    throw Error(ErrorKind::kCorruptFile, "the chat template is not well-formed UTF-8");
  return Lexer(unix_lines(source)).run();
}

}  // namespace nibble::chat
