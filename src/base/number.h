// Numbers that people type.
#pragma once

#include <optional>
#include <string_view>

namespace nibble {

// The whole text as a finite number ("0.5", "-1", "1e3"); nothing for any other text.
std::optional<double> parse_number(std::string_view text);

}  // namespace nibble
