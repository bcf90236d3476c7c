// What a tokenizer.json does to a text before it merges, in the few words that GGUF has for it.
#pragma once

#include <string_view>

#include "base/json.h"

namespace nibble {

// `tree`: a tokenizer.json. Is its text spelled in bytes before it is merged? Throws kCorruptFile.
bool is_byte_level(const Json& tree);

// For a byte-level tokenizer: the `tokenizer.ggml.pre` that cuts as this one does. Where no name
// agrees about words that are tokens (`ignore_merges`), one that differs in this alone.
// Throws kUnsupported naming the component that has no counterpart, kCorruptFile.
std::string_view name_of_cuts(const Json& tree);

// For pieces: `tokenizer.ggml.add_space_prefix`. Throws as name_of_cuts does.
bool puts_blank_in_front(const Json& tree);

}  // namespace nibble
