// What a GGUF file has to say about a model: the inverse of config, names and
// tokenizer.
#pragma once

#include <string>
#include <vector>

#include "checkpoint/gguf_model.h"
#include "model/source.h"

namespace nibble {

// `output`: the tensors to be written, under the model's own names. `notes` gets what such a file
// cannot say and its readers do without. Throws kUnsupported for a model, a tensor or a tokenizer
// that has no counterpart: what was written is read back by this program's own rules first.
GgufModel gguf_model_of(const ModelSource& source, const std::vector<TensorInfo>& output,
                        std::vector<std::string>& notes);

}  // namespace nibble
