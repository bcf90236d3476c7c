// "<0x0A>": a byte as a token, for characters that the vocabulary lacks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nibble::tokenizer {

// "<0x0A>" for 10.
std::string fallback_token(std::uint8_t byte);
// 10 for "<0x0A>" (either case of the digits), empty for any other text.
std::optional<std::uint8_t> fallback_byte(std::string_view token);

}  // namespace nibble::tokenizer
