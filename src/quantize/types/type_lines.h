// Which types a GGUF file will have and where: for people, before the work.
#pragma once

#include <string>
#include <vector>

#include "quantize/recipe.h"

namespace nibble {

// "Q6_K: mlp.down_proj 0-2, 5; lm_head" for each type, that of most weights first.
std::vector<std::string> type_lines(const Recipe& recipe);

}  // namespace nibble
