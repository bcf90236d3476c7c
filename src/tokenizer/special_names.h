// What tokenizer_config.json adds to tokenizer.json: which tokens begin and end a text.
#pragma once

#include <string>

#include "base/json.h"

namespace nibble::tokenizer {

struct SpecialNames {
  std::string bos, eos;  // empty: not said
  // The class rebuilds the post-processor from these two flags, whatever tokenizer.json says.
  bool rebuild = false;
  bool add_bos = true, add_eos = false;
};

// `config`: tokenizer_config.json, or special_tokens_map.json, which holds a part of it.
SpecialNames read_special_names(const Json& config);

}  // namespace nibble::tokenizer
