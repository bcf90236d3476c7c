// What one architecture is, as data. The transformer reads it; nothing branches on `name`.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace nibble {

enum class RopeScaling { kNone, kLinear, kLlama3 };

// Frequencies of rotary position embedding.
struct Rope {
  double theta = 10000;
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1;
  double low_freq_factor = 1;
  double high_freq_factor = 4;
  double original_context = 8192;
  std::vector<double> frequencies;  // rope_frequencies() of all this, [head_dim / 2]
};

// The numbers of one model, read from config.json and checked for sense.
struct HyperParams {
  std::size_t hidden = 0;
  std::size_t mlp_hidden = 0;
  std::size_t layers = 0;
  std::size_t heads = 0;
  std::size_t kv_heads = 0;
  std::size_t head_dim = 0;
  std::size_t vocabulary = 0;
  std::size_t context = 0;  // positions the model was trained for
  float norm_epsilon = 1e-6f;
  float attention_scale = 0;  // head_dim^-1/2
  Rope rope;
  std::vector<std::size_t> windows;  // per layer; 0: the whole past
  bool tied_head = false;
  std::optional<std::int32_t> bos;
  std::vector<std::int32_t> eos;
  bool qkv_bias = false;
  bool output_bias = false;  // of o
  bool mlp_bias = false;
};

struct ModelSpec {
  std::string_view name;      // ours, and config.json's model_type
  std::string_view hf_class;  // "Qwen3ForCausalLM"
  // GGUF's name for it; where two specs share one, a file is read as the first of list.def.
  std::string_view gguf_name = {};
  // GGUF stores the rows of q and k so that each rotated pair of a head lies side by side.
  bool gguf_pairs_rows = false;
  bool query_key_norm = false;
  bool always_qkv_bias = false;          // biases on q, k, v without being asked for in the config
  bool optional_attention_bias = false;  // config.json's attention_bias counts
  bool optional_mlp_bias = false;        // config.json's mlp_bias counts
  std::size_t default_head_dim = 0;      // where config.json has none; 0: hidden / heads
  // Changes what read_config read, for what this architecture does differently; may be null.
  void (*adjust)(const Json& config, HyperParams& hyper) = nullptr;
};

namespace specs {
std::span<const ModelSpec* const> all();
}

// The spec for config.json's architectures or model_type; throws kUnsupported listing the known.
const ModelSpec& find_spec(const Json& config);

// `sliding_window` of a config: 0 when null, 4096 (the default of all that have the key) when
// absent.
std::size_t window_of(const Json& config);
// With `use_sliding_window`: windows where `layer_types`, or else `max_window_layers`, ask for
// them.
void late_windows(const Json& config, HyperParams& hyper);

// Angles per position for each pair of a head's elements, [head_dim / 2].
std::vector<double> rope_frequencies(const HyperParams& hyper);

// Reads and cross-checks config.json (transformers 4 and 5 layouts). Throws kCorruptFile with the
// key, the value and the range.
HyperParams read_hyper_params(const Json& config, const ModelSpec& spec);

}  // namespace nibble
