// Mistral: Llama whose layers may look through a sliding window, all of them or, where layer_types
// says so, some: transformers reads such a config as Ministral's, which differs in nothing else.
#include "model/spec.h"

namespace nibble::specs {
namespace {

void adjust(const Json& config, HyperParams& hyper) {
  if (!windows_by_type(config, hyper)) hyper.windows.assign(hyper.layers, window_of(config));
}

}  // namespace

extern const ModelSpec mistral{.name = "mistral",
                               .hf_class = "MistralForCausalLM",
                               .gguf_name = "llama",
                               .gguf_pairs_rows = true,
                               .gguf_seventy_billion =
                                   [](const HyperParams& hyper) {
                                     return hyper.layers == 80 && hyper.heads != hyper.kv_heads;
                                   },
                               .adjust = adjust};

}  // namespace nibble::specs
