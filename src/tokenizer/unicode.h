// Characters: UTF-8 in and out, and the classes that the components of a tokenizer ask for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/utf8.h"

namespace nibble::tokenizer {

constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";  // U+FFFD

// The character that starts at text[position] of well-formed UTF-8; moves position behind it.
inline char32_t next_character(std::string_view text, std::size_t& position) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[position + i]); };
  const char32_t first = byte(0);
  if (first < 0x80) return ++position, first;
  char32_t c = 0;
  if (first < 0xE0) {
    c = (first & 0x1F) << 6 | (byte(1) & 0x3F);
    position += 2;
  } else if (first < 0xF0) {
    c = (first & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    position += 3;
  } else {
    c = (first & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
    position += 4;
  }
  return c;
}

// The last character before text[position]; moves position to its first byte. position > 0.
char32_t previous_character(std::string_view text, std::size_t& position);

// Bytes of the character whose first byte is `first`.
inline std::size_t character_bytes(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

// Ill-formed parts become U+FFFD, one for each longest prefix of a well-formed sequence.
std::string lossy_utf8(std::string_view bytes);

// How many bytes at the end of `bytes` are the start of a character that is not complete yet.
std::size_t unfinished_bytes(std::string_view bytes);

bool is_space(char32_t c);           // property White_Space
bool is_numeric(char32_t c);         // Nd, Nl, No
bool is_punctuation(char32_t c);     // P*, and all ASCII signs
bool is_word(char32_t c);            // \w: alphabetic, marks, decimal digits, connectors, joiners
bool is_combining_mark(char32_t c);  // M*

// Every character by itself, without looking at its neighbours (no final sigma).
std::string lower_case(std::string_view text);

enum class Normalization { kNfc, kNfd, kNfkc, kNfkd };
std::string normalize(std::string_view text, Normalization form);

}  // namespace nibble::tokenizer
