// The metadata of a GGUF file as the config.json that its model would have.
#pragma once

#include <vector>

#include "base/json.h"
#include "nibble/checkpoint.h"

namespace nibble {

// `checkpoint` has metadata and Hugging Face's tensor names. Throws kUnsupported for an
// architecture without a spec, kCorruptFile for values that are missing, of another type or out of
// range.
Json gguf_config(const CheckpointReader& checkpoint);

// What every base frequency is divided by, [head_dim / 2]; empty when the file has no such tensor.
std::vector<float> gguf_rope_divisors(const CheckpointReader& checkpoint, std::size_t head_dim);

}  // namespace nibble
