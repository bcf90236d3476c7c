#include "chat/characters.h"

#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include "base/utf8.h"

namespace nibble::chat {

bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x1F);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

char32_t next_character(std::string_view text, std::size_t& position) {
  const auto first = static_cast<unsigned char>(text[position++]);
  if (first < 0xC0) return first;
  const std::size_t more = first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
  if (position + more > text.size()) return first;
  char32_t c = first & (0x3F >> more);
  for (std::size_t i = 0; i < more; ++i)
    c = c << 6 | (static_cast<unsigned char>(text[position + i]) & 0x3F);
  position += more;
  return c;
}

void append_character(std::string& text, char32_t c) {
  if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) c = 0xFFFD;
  append_utf8(text, c);
}

std::size_t count_characters(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++count) next_character(text, i);
  return count;
}

std::vector<std::string_view> characters_of(std::string_view text) {
  std::vector<std::string_view> result;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t begin = i;
    next_character(text, i);
    result.push_back(text.substr(begin, i - begin));
  }
  return result;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  constexpr std::u32string_view kEnds = U"\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029";
  std::vector<std::string_view> lines;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = i;
    const char32_t character = next_character(text, i);
    if (kEnds.find(character) == kEnds.npos) continue;
    lines.push_back(text.substr(begin, end - begin));
    if (character == U'\r' && i < text.size() && text[i] == '\n') ++i;
    begin = i;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

namespace {

template <typename Dropped>
std::string_view strip_if(std::string_view text, bool left, bool right, const Dropped& dropped) {
  while (left && !text.empty()) {
    std::size_t end = 0;
    if (!dropped(next_character(text, end))) break;
    text.remove_prefix(end);
  }
  while (right && !text.empty()) {
    std::size_t begin = text.size() - 1;
    while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
    std::size_t end = begin;
    if (!dropped(next_character(text, end))) break;
    text.remove_suffix(text.size() - begin);
  }
  return text;
}

icu::UnicodeString unicode(std::string_view text) {
  return icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())));
}

std::string utf8(const icu::UnicodeString& text) {
  std::string result;
  return text.toUTF8String(result);
}

// The first letter of a word; "ß" becomes "Ss".
std::string title_of(std::string_view character) {
  std::size_t position = 0;
  const auto c = static_cast<UChar32>(next_character(character, position));
  if (u_totitle(c) != u_toupper(c)) {  // a few letters have a form of their own here
    std::string result;
    append_character(result, static_cast<char32_t>(u_totitle(c)));
    return result;
  }
  const std::string capital = upper(character);
  const std::string_view first = characters_of(capital).front();
  return std::string(first) + lower(std::string_view(capital).substr(first.size()));
}

}  // namespace

std::string_view strip(std::string_view text, bool left, bool right) {
  return strip_if(text, left, right, is_space);
}

std::string_view strip(std::string_view text, std::string_view chars, bool left, bool right) {
  std::u32string dropped;
  for (std::size_t i = 0; i < chars.size();) dropped += next_character(chars, i);
  return strip_if(text, left, right, [&](char32_t c) { return dropped.find(c) != dropped.npos; });
}

std::string upper(std::string_view text) {
  return utf8(unicode(text).toUpper(icu::Locale::getRoot()));
}

std::string lower(std::string_view text) {
  return utf8(unicode(text).toLower(icu::Locale::getRoot()));
}

std::string capitalize(std::string_view text) {
  if (text.empty()) return {};
  std::size_t end = 0;
  next_character(text, end);
  return title_of(text.substr(0, end)) + lower(text.substr(end));
}

std::string title(std::string_view text) {
  std::string result;
  bool inside = false;
  for (const std::string_view character : characters_of(text)) {
    std::size_t position = 0;
    const char32_t c = next_character(character, position);
    result += !is_letter(c) ? std::string(character)
              : inside      ? lower(character)
                            : title_of(character);
    inside = is_letter(c);
  }
  return result;
}

bool is_letter(char32_t c) { return u_isalpha(static_cast<UChar32>(c)) != 0; }

namespace {

int numeric_type(char32_t c) {
  return u_getIntPropertyValue(static_cast<UChar32>(c), UCHAR_NUMERIC_TYPE);
}

}  // namespace

bool is_decimal(char32_t c) { return numeric_type(c) == U_NT_DECIMAL; }

bool is_digit(char32_t c) { return is_decimal(c) || numeric_type(c) == U_NT_DIGIT; }

bool is_numeric(char32_t c) { return numeric_type(c) != U_NT_NONE; }

bool is_word_character(char32_t c) { return c == U'_' || is_letter(c) || is_numeric(c); }

bool is_printable(char32_t c) {
  if (c == ' ') return true;
  constexpr std::uint32_t kHidden = U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CS_MASK | U_GC_CO_MASK |
                                    U_GC_CN_MASK | U_GC_ZS_MASK | U_GC_ZL_MASK | U_GC_ZP_MASK;
  return (U_GET_GC_MASK(static_cast<UChar32>(c)) & kHidden) == 0;
}

}  // namespace nibble::chat
