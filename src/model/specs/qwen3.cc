// Qwen3: Llama with a norm on every query and key head.
#include "model/spec.h"

namespace nibble::specs {

extern const ModelSpec qwen3{.name = "qwen3",
                             .hf_class = "Qwen3ForCausalLM",
                             .gguf_name = "qwen3",
                             .query_key_norm = true,
                             .optional_attention_bias = true,
                             .default_head_dim = 128,
                             .adjust = late_windows};

}  // namespace nibble::specs
