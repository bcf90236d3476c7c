// UTF-8, checked and made.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace nibble {

// Bytes at the start of `bytes` that are well-formed UTF-8, in whole characters: no overlong form,
// no surrogate, nothing above U+10FFFF.
std::size_t well_formed_bytes(std::string_view bytes);

// `code` must be a character: no surrogate, at most U+10FFFF.
void append_utf8(std::string& text, char32_t code);

}  // namespace nibble
