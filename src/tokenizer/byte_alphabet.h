// The byte-level alphabet of GPT-2: every byte as one printable character, so that a vocabulary of
// text can hold any bytes. Printable Latin-1 bytes stand for themselves, the other 68 take U+0100
// on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nibble::tokenizer {

// Appends the characters of `bytes` (one or two bytes of UTF-8 each).
void append_byte_characters(std::string& text, std::string_view bytes);

// The bytes that `text` spells; empty optional when a character is outside the alphabet.
std::optional<std::string> spelled_bytes(std::string_view text);

}  // namespace nibble::tokenizer
