// What an ONNX file has to say about a model: its decoder as a graph of operators.
#pragma once

#include <vector>

#include "checkpoint/onnx/onnx_model.h"
#include "model/source.h"

namespace nibble {

// `output`: the tensors to be written, under the model's own names, as a folder has them. Inputs
// of the graph: input_ids and attention_mask, [batch, length] and
// [batch, past + length] int64, and past_key_values.N.key and .value, [batch, kv_heads, past,
// head_dim] float32. Outputs: logits [batch, length, vocabulary] and present.N.key and .value, as
// long as past and input together. Shorter rows of a batch are filled up behind their end. Throws
// kUnsupported for a model that these operators cannot compute.
OnnxModel onnx_model_of(const ModelSource& source, const std::vector<TensorInfo>& output,
                        const OnnxProduct& product);

}  // namespace nibble
