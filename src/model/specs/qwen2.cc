// Qwen2 and Qwen2.5: Llama with biases on q, k and v, and a window on the later layers if asked
// for.
#include "model/spec.h"

namespace nibble::specs {

extern const ModelSpec qwen2{
    .name = "qwen2",
    .hf_class = "Qwen2ForCausalLM",
    .gguf_name = "qwen2",
    .gguf_seventy_billion = [](const HyperParams& hyper) { return hyper.layers == 80; },
    .always_qkv_bias = true,
    .adjust = late_windows};

}  // namespace nibble::specs
