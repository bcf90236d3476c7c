// Gemma 3, text only: norms in front of and behind attention and MLP, norms on query and key heads,
// five layers with a window and a rope of their own for each one that sees everything.
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "model/spec.h"
#include "nibble/error.h"

namespace nibble::specs {
namespace {

// Layers of both kinds take turns: every sixth one has no window.
void periodic_windows(const Json& config, HyperParams& hyper) {
  const char* key = config.contains("sliding_window_pattern") ? "sliding_window_pattern"
                                                              : "_sliding_window_pattern";
  const auto period = static_cast<std::size_t>(json_int(config, key, 6, 1, 1 << 20));
  for (std::size_t i = 0; i < hyper.layers; ++i)
    if ((i + 1) % period != 0) hyper.windows[i] = needed_window(config);
}

void adjust(const Json& config, HyperParams& hyper) {
  for (const char* key :
       {"attn_logit_softcapping", "final_logit_softcapping", "use_bidirectional_attention"})
    refuse_setting(config, key);
  if (!windows_by_type(config, hyper)) periodic_windows(config, hyper);
  // GGUF files leave this out: it is 256 in all published sizes but the one of 62 layers.
  const std::size_t usual = hyper.layers == 62 ? hyper.hidden / hyper.heads : 256;
  const double scalar = json_number(config, "query_pre_attn_scalar", static_cast<double>(usual));
  if (!(scalar > 0 && scalar < 1e9))
    throw Error(ErrorKind::kCorruptFile,
                cat("\"query_pre_attn_scalar\" is ", scalar, "; expected a positive number"));
  hyper.attention_scale = static_cast<float>(1 / std::sqrt(scalar));
}

}  // namespace

// sqrt(hidden) multiplies the embedding in float32. transformers rounds it to the type of the
// weights it runs with, so a run in bfloat16 has 25.25 where this has 25.298.
extern const ModelSpec gemma3{.name = "gemma3",
                              .hf_class = "Gemma3ForCausalLM",
                              .hf_type = "gemma3_text",
                              .gguf_name = "gemma3",
                              .query_key_norm = true,
                              .optional_attention_bias = true,
                              .output_norms = true,
                              .gain_less_one = true,
                              .scaled_embedding = true,
                              .tied_by_default = true,
                              .default_head_dim = 256,
                              .default_theta = 1e6,
                              .default_window_theta = 1e4,
                              .activation_key = "hidden_activation",
                              .default_activation = "gelu_pytorch_tanh",
                              .adjust = adjust};

}  // namespace nibble::specs
