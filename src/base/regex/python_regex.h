// Regular expressions of Python's re module, in Oniguruma's syntax.
#pragma once

#include <string>
#include <string_view>

namespace nibble {

// The same expression for Oniguruma: where "$" and "\Z" match, groups by name, flags at the start,
// verbose patterns, possessive repetition, sets in which "[" and "&&" mean nothing. Throws
// kCorruptFile for what Python refuses, and naming what has no counterpart (\N{…}, ASCII-only).
std::string from_python_regex(std::string_view pattern);

}  // namespace nibble
