// Values of config.json with their ranges, and the one wording of what is not supported.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace nibble {

[[noreturn]] void unsupported(std::string_view key, std::string_view value, std::string_view known);
std::string text_of(const Json& value);  // as JSON, on one line

// Missing or null: `otherwise`. Throw kCorruptFile with key, value and range.
double number_in(const Json& object, const char* key, double otherwise, double low, double high);
double positive(const Json& object, const char* key, double otherwise);

}  // namespace nibble
