// Two tables, made once.
#include "tokenizer/byte_alphabet.h"

#include <array>

#include "tokenizer/unicode.h"

namespace nibble::tokenizer {
namespace {

constexpr int kCharacters = 0x144;  // the highest one is U+0143

struct Alphabet {
  std::array<char16_t, 256> character{};
  std::array<std::int16_t, kCharacters> byte{};

  Alphabet() {
    byte.fill(-1);
    char16_t next = 0x100;
    for (int b = 0; b < 256; ++b) {
      const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b != 0xAD);
      character[b] = printable ? static_cast<char16_t>(b) : next++;
      byte[character[b]] = static_cast<std::int16_t>(b);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

void append_byte_characters(std::string& text, std::string_view bytes) {
  const auto& characters = alphabet().character;
  for (const char byte : bytes) {
    const unsigned c = characters[static_cast<unsigned char>(byte)];
    if (c < 0x80) {
      text.push_back(static_cast<char>(c));
    } else {
      text.push_back(static_cast<char>(0xC0 | c >> 6));
      text.push_back(static_cast<char>(0x80 | (c & 0x3F)));
    }
  }
}

std::optional<std::string> spelled_bytes(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const char32_t c = next_character(text, i);
    if (c >= kCharacters || alphabet().byte[c] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(alphabet().byte[c]));
  }
  return bytes;
}

}  // namespace nibble::tokenizer
