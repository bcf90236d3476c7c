// Llama 1, 2 and 3, and everything that says it is one.
#include "model/spec.h"

namespace nibble::specs {

extern const ModelSpec llama{.name = "llama",
                             .hf_class = "LlamaForCausalLM",
                             .gguf_name = "llama",
                             .gguf_pairs_rows = true,
                             .optional_attention_bias = true,
                             .optional_mlp_bias = true,
                             .adjust = no_windows};

}  // namespace nibble::specs
