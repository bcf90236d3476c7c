// A GGUF file made from another one: what it says stays, its tensors get other types.
#pragma once

#include <vector>

#include "checkpoint/gguf_model.h"
#include "model/source.h"

namespace nibble {

// `source` is a GGUF file, `output` the tensors to be written under the model's names, with rows as
// ModelSource::bytes gives them. All pairs are as they were, known here or not, but for those that
// speak of the file itself: its types (general.file_type, general.quantization_version, which the
// writer adds; they stay with `same_types`), its parts (split.*) and its passport. Tensors lie in
// llama.cpp's order: by layer, then by name. Vectors keep their types.
GgufModel gguf_model_of_file(const ModelSource& source, const std::vector<TensorInfo>& output,
                             bool same_types = false);

}  // namespace nibble
