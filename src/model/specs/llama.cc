// Llama 1, 2 and 3, and everything that says it is one.
#include "model/spec.h"

namespace nibble::specs {

extern const ModelSpec llama{.name = "llama",
                             .hf_class = "LlamaForCausalLM",
                             .gguf_name = "llama",
                             .gguf_pairs_rows = true,
                             .gguf_seventy_billion =
                                 [](const HyperParams& hyper) {
                                   return hyper.layers == 80 && hyper.heads != hyper.kv_heads;
                                 },
                             .optional_attention_bias = true,
                             .optional_mlp_bias = true,
                             .adjust = no_windows};

}  // namespace nibble::specs
