#include "base/regex/python_regex.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr int kMaxDepth = 100;
// "\\z": Oniguruma 6.9.8 does not find "(?<=a)\\z" in "aa".
constexpr const char* kEnd = "(?!(?m:.))";
constexpr long kNoEnd = -1;  // of a repetition

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorKind::kCorruptFile, why); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_octal(char c) { return c >= '0' && c <= '7'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

struct Flags {
  bool ignore_case = false, multi_line = false, dot_all = false, verbose = false;
};

// One character or set, or an expression in brackets.
std::string literal(std::uint32_t character) { return fmt::format("\\x{{{:X}}}", character); }

class Translator {
 public:
  explicit Translator(std::string_view pattern) : pattern_(pattern) {}

  std::string run() {
    Flags flags;
    while (global_flags(flags)) {
    }
    std::string body = alternatives(flags);
    if (at_ < pattern_.size()) refuse("unbalanced parenthesis");
    return flags.ignore_case ? cat("(?i:", body, ")") : body;
  }

 private:
  bool ended() const { return at_ >= pattern_.size(); }
  char peek() const { return ended() ? '\0' : pattern_[at_]; }
  bool take(std::string_view text) {
    if (!pattern_.substr(at_).starts_with(text)) return false;
    at_ += text.size();
    return true;
  }
  char next() {
    if (ended()) refuse("ends in the middle of something");
    return pattern_[at_++];
  }

  // "(?i)" where Python allows it: before everything else.
  bool global_flags(Flags& flags) {
    const std::size_t start = at_;
    Flags changed = flags;
    if (!take("(?") || !is_letter(peek()) || peek() == 'P') return at_ = start, false;
    while (is_letter(peek())) set_flag(changed, next(), true);
    if (!take(")")) return at_ = start, false;
    flags = changed;
    return true;
  }

  static void set_flag(Flags& flags, char flag, bool on) {
    switch (flag) {
      case 'i':
        flags.ignore_case = on;
        return;
      case 'm':
        flags.multi_line = on;
        return;
      case 's':
        flags.dot_all = on;
        return;
      case 'x':
        flags.verbose = on;
        return;
      case 'u':  // what every text is
        if (on) return;
        break;
      case 'a':
      case 'L':
        refuse(cat("the flag \"", std::string(1, flag), "\" (ASCII or locale) has no counterpart"));
      default:
        break;
    }
    refuse(cat("unknown flag \"", std::string(1, flag), "\""));
  }

  std::string alternatives(const Flags& flags) {
    if (++depth_ > kMaxDepth) refuse(cat("nested deeper than ", kMaxDepth, " levels"));
    std::string text = sequence(flags);
    while (take("|")) text += "|" + sequence(flags);
    --depth_;
    return text;
  }

  std::string sequence(const Flags& flags) {
    std::string text;
    while (true) {
      skip_ignored(flags);
      if (ended() || peek() == '|' || peek() == ')') return text;
      Repeatable repeatable = Repeatable::kYes;
      const std::string element = one(flags, repeatable);
      text += repetition(element, repeatable, flags);
    }
  }

  // Comments, and what a verbose pattern may be laid out with.
  void skip_ignored(const Flags& flags) {
    while (!ended()) {
      if (take("(?#")) {
        while (next() != ')') {
        }
      } else if (flags.verbose && is_blank(peek())) {
        ++at_;
      } else if (flags.verbose && peek() == '#') {
        at_ = std::min(pattern_.find('\n', at_), pattern_.size());
      } else {
        return;
      }
    }
  }

  // Python refuses "^*" and "\b+"; a look-around may be repeated, which changes nothing.
  enum class Repeatable { kYes, kLookAround, kNo };

  struct Interval {
    long least = 0, most = kNoEnd;
  };

  long number() {
    long value = 0;
    while (is_digit(peek())) value = std::min(value * 10 + (next() - '0'), 1'000'000L);
    return value;
  }

  std::optional<Interval> interval() {
    const std::size_t start = at_;
    if (take("*")) return Interval{0, kNoEnd};
    if (take("+")) return Interval{1, kNoEnd};
    if (take("?")) return Interval{0, 1};
    if (!take("{")) return std::nullopt;
    if (peek() == '}') return at_ = start, std::nullopt;  // "{}" is text
    Interval found;
    found.least = number();
    if (!take(","))
      found.most = found.least;
    else if (is_digit(peek()))
      found.most = number();
    if (!take("}")) return at_ = start, std::nullopt;
    if (found.most != kNoEnd && found.most < found.least)
      refuse("min repeat greater than max repeat");
    return found;
  }

  static std::string repeated(const std::string& element, const Interval& times) {
    const std::string sign =
        times.most == kNoEnd                  ? (times.least == 0   ? "*"
                                                 : times.least == 1 ? "+"
                                                                    : cat("{", times.least, ",}"))
        : times.least == 0 && times.most == 1 ? "?"
        : times.least == times.most           ? cat("{", times.least, "}")
                                              : cat("{", times.least, ",", times.most, "}");
    return element + sign;
  }

  std::string repetition(const std::string& element, Repeatable repeatable, const Flags& flags) {
    skip_ignored(flags);
    const auto times = interval();
    if (!times) return element;
    if (repeatable == Repeatable::kNo) refuse("nothing to repeat");
    const bool possessive = take("+"), lazy = !possessive && take("?");
    skip_ignored(flags);
    const std::size_t start = at_;
    if (interval()) refuse("multiple repeat");
    at_ = start;
    if (repeatable == Repeatable::kLookAround)  // Oniguruma would refuse it
      return times->least > 0 ? element : cat("(?:", element, "|)");
    // Oniguruma reads "{2}?" otherwise; and a sign behind it would be read as part of this one.
    const bool marked = lazy && times->least != times->most;
    return cat(possessive ? "(?>" : "(?:", repeated(element, *times), marked ? "?)" : ")");
  }

  std::string one(const Flags& flags, Repeatable& repeatable) {
    const char c = next();
    switch (c) {
      case '.':
        return flags.dot_all ? "(?m:.)" : "[^\\n]";
      case '^':
        repeatable = Repeatable::kNo;
        return flags.multi_line ? "(?:\\A|(?<=\\n))" : "\\A";
      case '$':
        repeatable = Repeatable::kNo;
        return flags.multi_line ? cat("(?=\\n|", kEnd, ")") : cat("(?=\\n?", kEnd, ")");
      case '*':
      case '+':
      case '?':
        refuse("nothing to repeat");
      case '(':
        for (const std::string_view kind : {"?=", "?!", "?<=", "?<!"})
          if (pattern_.substr(at_).starts_with(kind)) repeatable = Repeatable::kLookAround;
        return group(flags);
      case '[':
        return set();
      case '\\':
        return escape(repeatable);
      default:
        --at_;
        if (interval()) refuse("nothing to repeat");
        return literal(character());
    }
  }

  std::uint32_t character() {
    const auto lead = static_cast<unsigned char>(next());
    if (lead < 0x80) return lead;
    const int more = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    std::uint32_t value = lead & (0x3Fu >> more);
    for (int i = 0; i < more; ++i) value = value << 6 | (static_cast<unsigned char>(next()) & 0x3F);
    return value;
  }

  std::uint32_t hexadecimal(std::size_t digits) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      const char c = next();
      const int digit = is_digit(c)            ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) refuse("incomplete escape");
      value = value * 16 + static_cast<std::uint32_t>(digit);
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) refuse("bad character number");
    return value;
  }

  // The character that "\n", "\x41" or "\." stands for, at_ being behind the backslash; none when
  // the escape is something else.
  std::optional<std::uint32_t> escaped_character() {
    const char c = peek();
    static constexpr std::string_view kNames = "abfnrtv", kValues = "\a\b\f\n\r\t\v";
    if (const auto known = kNames.find(c); known != kNames.npos && c != 'b' && c != '\0') {
      ++at_;
      return static_cast<std::uint32_t>(kValues[known]);
    }
    if (take("x")) return hexadecimal(2);
    if (take("u")) return hexadecimal(4);
    if (take("U")) return hexadecimal(8);
    if (c == '0') {
      std::uint32_t value = 0;
      for (int i = 0; i < 3 && is_octal(peek()); ++i)
        value = value * 8 + static_cast<std::uint32_t>(next() - '0');
      return value;
    }
    if (is_letter(c) || is_digit(c)) return std::nullopt;
    return character();
  }

  // "\123" in octal, when it is that.
  std::optional<std::uint32_t> octal() {
    const std::string_view digits = pattern_.substr(at_, 3);
    if (digits.size() < 3 || !std::all_of(digits.begin(), digits.end(), is_octal))
      return std::nullopt;
    at_ += 3;
    const int value = (digits[0] - '0') * 64 + (digits[1] - '0') * 8 + (digits[2] - '0');
    if (value > 0377) refuse("octal escape value outside of range 0-0o377");
    return static_cast<std::uint32_t>(value);
  }

  [[noreturn]] void refuse_escape() const {
    const char c = peek();
    if (c == 'N') refuse("\\N{…} has no counterpart; write the character or \\u and its number");
    refuse(cat("bad escape \\", std::string(1, c)));
  }

  std::string escape(Repeatable& repeatable) {
    if (ended()) refuse("bad escape (end of pattern)");
    if (const auto value = escaped_character()) return literal(*value);
    const char c = peek();
    if (is_digit(c)) {
      if (const auto value = octal()) return literal(*value);
      long number = next() - '0';
      if (is_digit(peek())) number = number * 10 + (next() - '0');
      return reference(number);
    }
    ++at_;
    switch (c) {
      case 'd':
      case 'D':
      case 's':
      case 'S':
      case 'w':
      case 'W':
        return cat("\\", std::string(1, c));
      case 'A':
      case 'b':
      case 'B':
        repeatable = Repeatable::kNo;
        return cat("\\", std::string(1, c));
      case 'Z':
      case 'z':
        repeatable = Repeatable::kNo;
        return kEnd;
      default:
        --at_;
        refuse_escape();
    }
  }

  std::string reference(long number) const {
    if (number < 1 || number > groups_) refuse(cat("invalid group reference ", number));
    if (open_.contains(number)) refuse("cannot refer to an open group");
    return cat("\\k<", number, ">");
  }

  // In "[…]"; each character is written by its number, so that nothing means anything.
  std::string set() {
    std::string text = take("^") ? "[^" : "[";
    bool first = true;
    while (first || peek() != ']') {
      if (ended()) refuse("unterminated character set");
      first = false;
      const auto low = member(text);
      if (!pattern_.substr(at_).starts_with("-") || pattern_.substr(at_).starts_with("-]")) {
        if (low) text += literal(*low);
        continue;
      }
      if (!low) refuse("bad character range");
      ++at_;
      std::string ignored;
      const auto high = member(ignored);
      if (!high || *high < *low) refuse("bad character range");
      text += cat(literal(*low), "-", literal(*high));
    }
    ++at_;
    return text + "]";
  }

  // One character, or none and a class such as "\d" added to `text`.
  std::optional<std::uint32_t> member(std::string& text) {
    if (peek() != '\\') return character();
    ++at_;
    if (ended()) refuse("bad escape (end of pattern)");
    if (const auto value = escaped_character()) return value;
    const char c = peek();
    if (take("b")) return '\b';
    if (is_digit(c)) {
      if (const auto value = octal()) return value;
      refuse_escape();
    }
    if (std::string_view("dDsSwW").find(c) == std::string_view::npos) refuse_escape();
    ++at_;
    text += cat("\\", std::string(1, c));
    return std::nullopt;
  }

  std::string name_until(char closing) {
    const std::size_t end = std::min(pattern_.find(closing, at_), pattern_.size());
    const std::string name(pattern_.substr(at_, end - at_));
    at_ = end;
    if (!take(std::string(1, closing))) refuse("missing the end of a name");
    if (name.empty()) refuse("missing group name");
    return name;
  }

  long named(const std::string& name) const {
    const auto found = names_.find(name);
    if (found == names_.end()) refuse(cat("unknown group name '", name, "'"));
    return found->second;
  }

  std::string body(std::string_view opening, const Flags& flags) {
    std::string text = cat(opening, alternatives(flags), ")");
    if (!take(")")) refuse("missing ), unterminated subpattern");
    return text;
  }

  std::string capture(const Flags& flags, const std::string& name = {}) {
    const long number = ++groups_;
    if (!name.empty() && !names_.emplace(name, number).second)
      refuse(cat("redefinition of group name '", name, "'"));
    open_.insert(number);
    std::string text = body("(", flags);
    open_.erase(number);
    return text;
  }

  std::string condition(const Flags& flags) {
    const std::string name = name_until(')');
    const bool numeric = std::all_of(name.begin(), name.end(), is_digit);
    const long number = numeric ? std::stol(name.substr(0, 6)) : named(name);
    if (number < 1 || number > groups_) refuse(cat("invalid group reference ", number));
    std::string text = cat("(?(", number, ")", sequence(flags));
    if (take("|")) text += "|" + sequence(flags);
    if (peek() == '|') refuse("conditional backref with more than two branches");
    if (!take(")")) refuse("missing ), unterminated subpattern");
    return text + ")";
  }

  std::string group(const Flags& flags) {
    if (!take("?")) return capture(flags);
    for (const std::string_view kind : {":", "=", "!", "<=", "<!", ">"})
      if (take(kind)) return body(cat("(?", kind), flags);
    if (take("P<")) return capture(flags, name_until('>'));
    if (take("P=")) return reference(named(name_until(')')));
    if (take("P")) refuse(cat("unknown extension ?P", std::string(1, peek())));
    if (take("(")) return condition(flags);
    Flags own = flags;
    bool on = true;
    while (is_letter(peek()) || peek() == '-') {
      const char c = next();
      if (c == '-')
        on = false;
      else
        set_flag(own, c, on);
    }
    if (peek() == ')') refuse("global flags not at the start of the expression");
    if (!take(":")) refuse(cat("unknown extension ?", std::string(1, peek())));
    return body(own.ignore_case ? "(?i:" : "(?-i:", own);
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
  int depth_ = 0;
  long groups_ = 0;
  std::map<std::string, long> names_;
  std::set<long> open_;  // groups whose end has not come yet
};

}  // namespace

std::string from_python_regex(std::string_view pattern) { return Translator(pattern).run(); }

}  // namespace nibble
