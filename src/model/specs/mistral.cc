// Mistral: Llama whose layers may all look through a sliding window.
#include "model/spec.h"

namespace nibble::specs {
namespace {

void adjust(const Json& config, HyperParams& hyper) {
  hyper.windows.assign(hyper.layers, window_of(config));
}

}  // namespace

extern const ModelSpec mistral{.name = "mistral",
                               .hf_class = "MistralForCausalLM",
                               .gguf_name = "llama",
                               .gguf_pairs_rows = true,
                               .adjust = adjust};

}  // namespace nibble::specs
