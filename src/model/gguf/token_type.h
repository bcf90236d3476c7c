// Values of tokenizer.ggml.token_type.
#pragma once

#include <cstdint>

namespace nibble::gguf_token {

enum Type : std::int32_t { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };

}  // namespace nibble::gguf_token
