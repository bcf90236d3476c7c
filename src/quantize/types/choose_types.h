// The type of each matrix of a GGUF file where one for all layers is not what was asked for: a mix,
// everything in one type, or tensors named one by one.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "quantize/recipe.h"

namespace nibble {

// `asked`, its dialect the type of most blocks where it was a mix; `mix` becomes that one's name.
QuantizeOptions with_base_type(const QuantizeOptions& asked, std::string& mix);

// The words that --type knows: beside a --layout of that name, or, empty, of all.
std::vector<std::string> type_words(const std::string& layout);
// `words`, those that begin most like `word` first.
std::vector<std::string> nearest_first(std::vector<std::string> words, std::string_view word);

// Gives the recipe's modules their own dialects, moves those that no block fits to its tensors, and
// adds embedding and head there. `unusable`: what must stay. Throws kInvalidArgument.
void choose_types(const ModelSource& source, const QuantizeOptions& options,
                  const std::set<std::string>& unusable, Recipe& recipe);

}  // namespace nibble
