// One scanner for the family of GPT-2's pattern; its members differ in five points. The
// alternatives are tried in the order of the expression, the first that matches wins.
#include "tokenizer/scanner.h"

#include <array>

#include "tokenizer/character_class.h"
#include "tokenizer/unicode.h"

namespace nibble::tokenizer {
namespace {

using enum CharacterClass;

struct Rules {
  bool contractions_in_capitals = false;  // 'S as well as 's
  bool any_sign_before_letters = false;   // [^\r\n\p{L}\p{N}]?\p{L}+, else " ?\p{L}+"
  int digits = 0;                         // longest run of numbers; 0: any
  bool blank_before_numbers = false;      // " ?\p{N}+"
  bool newlines_apart = false;            // signs take newlines along, \s*[\r\n]+ is one match
};

struct Character {
  std::size_t begin = 0, end = 0;  // end == begin: behind the text
  char32_t code = 0;
  CharacterClass kind = kBlank;
  bool is(CharacterClass wanted) const { return end > begin && kind == wanted; }
  bool is_newline() const { return end > begin && (code == '\n' || code == '\r'); }
};

class Gpt2Scanner : public Scanner {
 public:
  explicit Gpt2Scanner(const Rules& rules) : rules_(rules) {}

  std::size_t match_end(std::string_view text, std::size_t begin) const override {
    const Character first = at(text, begin);
    if (first.code == '\'')
      if (const std::size_t end = contraction(text, begin)) return end;
    const Character second = at(text, first.end);
    const bool blank = first.code == ' ';
    if (first.kind == kLetter) return run(text, first.end, kLetter);
    if (second.is(kLetter) && may_precede_letters(first)) return run(text, second.end, kLetter);
    if (first.kind == kNumber) return numbers(text, begin);
    if (blank && rules_.blank_before_numbers && second.is(kNumber))
      return numbers(text, second.begin);
    if (first.kind == kSign) return signs(text, first.end);
    if (blank && second.is(kSign)) return signs(text, second.end);
    return blanks(text, begin);
  }

 private:
  Character at(std::string_view text, std::size_t position) const {
    if (position >= text.size()) return {position, position, 0, kBlank};
    std::size_t end = position;
    const char32_t code = next_character(text, end);
    return {position, end, code, classes_[code]};
  }

  std::size_t run(std::string_view text, std::size_t position, CharacterClass kind) const {
    Character c = at(text, position);
    while (c.is(kind)) c = at(text, c.end);
    return c.begin;
  }

  bool may_precede_letters(const Character& c) const {
    if (!rules_.any_sign_before_letters) return c.code == ' ';
    return (c.kind == kSign || c.kind == kBlank) && !c.is_newline();
  }

  // 's 't 're 've 'm 'll 'd; 0 when there is none.
  std::size_t contraction(std::string_view text, std::size_t begin) const {
    const auto letter = [&](const Character& c) -> char32_t {
      if (!rules_.contractions_in_capitals) return c.code;
      if (c.code >= 'A' && c.code <= 'Z') return c.code + ('a' - 'A');
      return c.code == 0x17F ? 's' : c.code;  // the long s folds to s
    };
    const Character first = at(text, begin + 1);
    const char32_t a = letter(first);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return first.end;
    const Character second = at(text, first.end);
    const char32_t b = letter(second);
    if ((b == 'e' && (a == 'r' || a == 'v')) || (a == 'l' && b == 'l')) return second.end;
    return 0;
  }

  std::size_t numbers(std::string_view text, std::size_t position) const {
    if (rules_.digits == 0) return run(text, position, kNumber);
    Character c = at(text, position);
    for (int count = 0; count < rules_.digits && c.is(kNumber); ++count) c = at(text, c.end);
    return c.begin;
  }

  std::size_t signs(std::string_view text, std::size_t position) const {
    std::size_t end = run(text, position, kSign);
    if (rules_.newlines_apart)
      while (end < text.size() && (text[end] == '\n' || text[end] == '\r')) ++end;
    return end;
  }

  // \s*[\r\n]+ where newlines stand apart, then \s+(?!\S), then \s+.
  std::size_t blanks(std::string_view text, std::size_t begin) const {
    std::size_t behind_newline = 0, last = begin;
    Character c = at(text, begin);
    for (; c.is(kBlank); c = at(text, c.end)) {
      last = c.begin;
      if (c.is_newline()) behind_newline = c.end;
    }
    if (rules_.newlines_apart && behind_newline > 0) return behind_newline;
    return c.begin == text.size() || last == begin ? c.begin : last;
  }

  Rules rules_;
  const CharacterClasses& classes_ = CharacterClasses::instance();
};

struct Known {
  std::string_view expression;
  Gpt2Scanner scanner;
};

}  // namespace

const Scanner* known_scanner(std::string_view expression) {
  static const std::array<Known, 5> list = {{
      {kGpt2Pattern, Gpt2Scanner({.blank_before_numbers = true})},
      {R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
       Gpt2Scanner({.blank_before_numbers = true})},
      {R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
       Gpt2Scanner({.digits = 3, .blank_before_numbers = true})},
      {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
       R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
       Gpt2Scanner({.contractions_in_capitals = true,
                    .any_sign_before_letters = true,
                    .digits = 3,
                    .newlines_apart = true})},
      {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)"
       R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
       Gpt2Scanner({.contractions_in_capitals = true,
                    .any_sign_before_letters = true,
                    .digits = 1,
                    .newlines_apart = true})},
  }};
  for (const Known& known : list)
    if (known.expression == expression) return &known.scanner;
  return nullptr;
}

}  // namespace nibble::tokenizer
