// genai_config.json: what onnxruntime-genai wants to know of a model.onnx.
#pragma once

#include <string>

#include "model/source.h"

namespace nibble {

// The file's text.
std::string genai_config(const ModelSource& source);

}  // namespace nibble
