// UTF-8 by hand, properties and normal forms by ICU.
#include "tokenizer/unicode.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble::tokenizer {
namespace {

struct Prefix {
  std::size_t bytes = 0;   // length of the longest prefix of a character at this place, at least 1
  bool complete = false;   // a whole character
  bool cut_short = false;  // the text ends inside it
};

// Table 3-7 of the Unicode standard: which second bytes each first byte allows.
Prefix read_prefix(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return {1, true, false};
  if (first < 0xC2 || first > 0xF4) return {1, false, false};
  const std::size_t wanted = character_bytes(text[at]);
  unsigned low = 0x80, high = 0xBF;
  if (first == 0xE0) low = 0xA0;
  if (first == 0xED) high = 0x9F;
  if (first == 0xF0) low = 0x90;
  if (first == 0xF4) high = 0x8F;
  for (std::size_t i = 1; i < wanted; ++i) {
    if (at + i == text.size()) return {i, false, true};
    if (byte(i) < low || byte(i) > high) return {i, false, false};
    low = 0x80, high = 0xBF;
  }
  return {wanted, true, false};
}

const icu::Normalizer2& normalizer(Normalization form) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* found = nullptr;
  switch (form) {
    case Normalization::kNfc:
      found = icu::Normalizer2::getNFCInstance(status);
      break;
    case Normalization::kNfd:
      found = icu::Normalizer2::getNFDInstance(status);
      break;
    case Normalization::kNfkc:
      found = icu::Normalizer2::getNFKCInstance(status);
      break;
    case Normalization::kNfkd:
      found = icu::Normalizer2::getNFKDInstance(status);
      break;
  }
  if (found == nullptr)
    throw Error(ErrorKind::kResource,
                cat("the tables of Unicode normal forms do not load: ", u_errorName(status)));
  return *found;
}

}  // namespace

char32_t previous_character(std::string_view text, std::size_t& position) {
  do --position;
  while (position > 0 && (static_cast<unsigned char>(text[position]) & 0xC0) == 0x80);
  std::size_t start = position;
  return next_character(text, start);
}

std::string lossy_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (std::size_t i = 0; i < bytes.size();) {
    const Prefix prefix = read_prefix(bytes, i);
    text += prefix.complete ? bytes.substr(i, prefix.bytes) : kReplacementCharacter;
    i += prefix.bytes;
  }
  return text;
}

std::size_t unfinished_bytes(std::string_view bytes) {
  for (std::size_t back = 1; back <= 3 && back <= bytes.size(); ++back) {
    const auto byte = static_cast<unsigned char>(bytes[bytes.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const Prefix prefix = read_prefix(bytes, bytes.size() - back);
    return prefix.cut_short && prefix.bytes == back ? back : 0;
  }
  return 0;
}

bool is_space(char32_t c) { return u_isUWhiteSpace(static_cast<UChar32>(c)) != 0; }

bool is_numeric(char32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9';
  return (U_GET_GC_MASK(static_cast<UChar32>(c)) & (U_GC_ND_MASK | U_GC_NL_MASK | U_GC_NO_MASK)) !=
         0;
}

bool is_punctuation(char32_t c) {
  if (c < 0x80) return c > ' ' && c < 0x7F && u_isalnum(static_cast<UChar32>(c)) == 0;
  return (U_GET_GC_MASK(static_cast<UChar32>(c)) & U_GC_P_MASK) != 0;
}

bool is_word(char32_t c) {
  const auto character = static_cast<UChar32>(c);
  return (U_GET_GC_MASK(character) & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) != 0 ||
         u_hasBinaryProperty(character, UCHAR_ALPHABETIC) != 0 ||
         u_hasBinaryProperty(character, UCHAR_JOIN_CONTROL) != 0;
}

bool is_combining_mark(char32_t c) {
  return (U_GET_GC_MASK(static_cast<UChar32>(c)) & U_GC_M_MASK) != 0;
}

std::string lower_case(std::string_view text) {
  std::string lower;
  lower.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const char32_t c = next_character(text, i);
    if (c == 0x130)
      lower += "i\xCC\x87";  // the only character whose lower case is two characters
    else
      append_utf8(lower, static_cast<char32_t>(u_tolower(static_cast<UChar32>(c))));
  }
  return lower;
}

std::string normalize(std::string_view text, Normalization form) {
  UErrorCode status = U_ZERO_ERROR;
  std::string normal;
  icu::StringByteSink<std::string> sink(&normal, static_cast<std::int32_t>(text.size()));
  normalizer(form).normalizeUTF8(
      0, icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())), sink, nullptr,
      status);
  if (U_FAILURE(status))
    throw Error(ErrorKind::kResource, cat("Unicode normal form: ", u_errorName(status)));
  return normal;
}

}  // namespace nibble::tokenizer
