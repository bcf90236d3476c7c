// The settings that the pre-tokenizer and the decoder "Metaspace" share.
#pragma once

#include "base/json.h"

namespace nibble::tokenizer {

enum class PrependScheme { kAlways, kFirst, kNever };

struct MetaspaceSettings {
  char32_t replacement = U'▁';
  PrependScheme prepend = PrependScheme::kAlways;
};

// Old files say "add_prefix_space": false for "prepend_scheme": "never".
MetaspaceSettings read_metaspace(const Json& settings);

}  // namespace nibble::tokenizer
