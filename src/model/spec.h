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

// What the gate of the MLP goes through before it multiplies.
enum class Activation { kSilu, kGeluTanh };

enum class RopeScaling { kNone, kLinear, kLlama3, kYarn };

// Frequencies of rotary position embedding.
struct Rope {
  double theta = 10000;
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1;
  double low_freq_factor = 1;
  double high_freq_factor = 4;
  double original_context = 8192;
  double beta_fast = 32, beta_slow = 1;  // yarn: turns in the original context
  bool truncate = true;                  // yarn: the range between them in whole pairs
  double attention_factor = 1;           // of cosines and sines, so its square is that of scores
  std::vector<double> frequencies;       // rope_frequencies() of all this, [head_dim / 2]
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
  float attention_scale = 0;  // head_dim^-1/2 where the architecture says nothing else
  float embedding_scale = 1;  // of the rows of the embedding, as the first layer sees them
  Activation activation = Activation::kSilu;
  std::vector<std::size_t> windows;  // per layer; 0: the whole past
  Rope rope;                         // of layers without a window
  Rope window_rope;                  // of layers with one; most models have one rope for both
  bool tied_head = false;
  std::optional<std::int32_t> bos;
  std::vector<std::int32_t> eos;
  bool qkv_bias = false;
  bool output_bias = false;  // of o
  bool mlp_bias = false;
  std::vector<std::string> notes;  // where the config contradicts itself, and what counts

  const Rope& rope_of(std::size_t layer) const { return windows[layer] != 0 ? window_rope : rope; }
};

struct ModelSpec {
  std::string_view name;       // ours, and config.json's model_type unless `hf_type` is another
  std::string_view hf_class;   // "Qwen3ForCausalLM"
  std::string_view hf_type{};  // config.json's model_type where it is not `name`
  // GGUF's name for it; where two specs share one, a file is read as the first of list.def.
  std::string_view gguf_name = {};
  // GGUF stores the rows of q and k so that each rotated pair of a head lies side by side.
  bool gguf_pairs_rows = false;
  // Is it of the size that GGUF's tools call 70B, to which some of their mixes give more bits?
  bool (*gguf_seventy_billion)(const HyperParams& hyper) = nullptr;
  bool query_key_norm = false;
  bool always_qkv_bias = false;          // biases on q, k, v without being asked for in the config
  bool optional_attention_bias = false;  // config.json's attention_bias counts
  bool optional_mlp_bias = false;        // config.json's mlp_bias counts
  bool output_norms = false;             // norms also behind attention and MLP, before their sums
  bool gain_less_one = false;            // Hugging Face checkpoints hold the gain of a norm minus 1
  bool scaled_embedding = false;         // embedding rows are multiplied by hidden^1/2
  bool tied_by_default = false;          // where config.json does not say
  std::size_t default_head_dim = 0;      // where config.json has none; 0: hidden / heads
  double default_theta = 10000;          // of the rope, where config.json has none
  double default_window_theta = 0;       // of a rope that layers with a window have; 0: one rope
  const char* activation_key = "hidden_act";
  std::string_view default_activation = "silu";
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
// The same where a layer has one: throws kCorruptFile when it is null.
std::size_t needed_window(const Json& config);
// For architectures without windows: refuses layers that ask for one, notes a `sliding_window`.
void no_windows(const Json& config, HyperParams& hyper);
// With `use_sliding_window`: windows where `layer_types`, or else `max_window_layers`, ask for
// them.
void late_windows(const Json& config, HyperParams& hyper);
// `layer_types` of a config: a window for each layer of sliding attention. False when absent.
bool windows_by_type(const Json& config, HyperParams& hyper);
// Throws kUnsupported when the config sets a key to anything but null or false: for what an
// architecture's published models do not use.
void refuse_setting(const Json& config, const char* key);

// Angles per position for each pair of a head's elements, [head_dim / 2].
std::vector<double> rope_frequencies(const Rope& rope, std::size_t head_dim);

// Reads and cross-checks config.json (transformers 4 and 5 layouts). Throws kCorruptFile with the
// key, the value and the range.
HyperParams read_hyper_params(const Json& config, const ModelSpec& spec);

}  // namespace nibble
