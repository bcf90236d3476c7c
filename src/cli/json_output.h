// The one object that a command prints with --json.
#pragma once

#include <string_view>

#include "base/json.h"

namespace nibble::cli {

// Prints `object` with "schema" in front, for example "nibble.perplexity/1". The number grows when
// a key changes its meaning or goes away; new keys come without a new number.
void print_json(std::string_view schema, const Json& object);

}  // namespace nibble::cli
