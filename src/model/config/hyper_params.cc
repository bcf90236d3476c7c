// config.json of transformers 4 and 5, with every number checked.
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "model/config/checked_keys.h"
#include "model/config/rope_settings.h"
#include "model/spec.h"
#include "nibble/error.h"

namespace nibble {
namespace {

std::size_t size_of(const Json& config, const char* key, std::int64_t otherwise,
                    std::int64_t high) {
  const std::int64_t value = json_int(config, key, otherwise, 1, high);
  if (value < 1) throw Error(ErrorKind::kCorruptFile, cat("\"", key, "\" is missing"));
  return static_cast<std::size_t>(value);
}

std::vector<std::int32_t> read_eos(const Json& config) {
  const auto found = config.find("eos_token_id");
  if (found == config.end() || found->is_null()) return {};
  std::vector<std::int32_t> ids;
  if (found->is_array()) {
    for (const Json& id : *found)
      if (id.is_number_integer() && id.get<std::int64_t>() >= 0 &&
          id.get<std::int64_t>() < INT32_MAX)
        ids.push_back(id.get<std::int32_t>());
  } else if (const auto id = json_int(config, "eos_token_id", -1, -1, INT32_MAX); id >= 0) {
    ids.push_back(static_cast<std::int32_t>(id));
  }
  return ids;
}

Activation read_activation(const Json& config, const ModelSpec& spec) {
  const std::string name =
      json_string(config, spec.activation_key, std::string(spec.default_activation));
  if (name == "silu" || name == "swish") return Activation::kSilu;  // two names for one function
  if (name == "gelu_pytorch_tanh" || name == "gelu_new") return Activation::kGeluTanh;
  unsupported(spec.activation_key, cat('"', name, '"'), "silu, gelu_pytorch_tanh");
}

}  // namespace

std::size_t window_of(const Json& config) {
  if (!config.contains("sliding_window")) return 4096;
  return static_cast<std::size_t>(json_int(config, "sliding_window", 0, 0, 1 << 30));
}

bool windows_by_type(const Json& config, HyperParams& hyper) {
  const auto types = config.find("layer_types");
  if (types == config.end() || !types->is_array()) return false;
  if (types->size() != hyper.layers)
    throw Error(ErrorKind::kCorruptFile, cat("\"layer_types\" has ", types->size(), " entries for ",
                                             hyper.layers, " layers"));
  for (std::size_t i = 0; i < hyper.layers; ++i) {
    const Json& type = (*types)[i];
    if (type == "sliding_attention")
      hyper.windows[i] = needed_window(config);
    else if (type != "full_attention")
      unsupported("layer_types", text_of(type), "full_attention, sliding_attention");
  }
  return true;
}

std::size_t needed_window(const Json& config) {
  const std::size_t window = window_of(config);
  if (window == 0)
    throw Error(ErrorKind::kCorruptFile,
                "layers of sliding attention without a \"sliding_window\"");
  return window;
}

void no_windows(const Json& config, HyperParams& hyper) {
  const std::vector<std::size_t> none(hyper.layers, 0);
  if (windows_by_type(config, hyper) && hyper.windows != none)
    unsupported("layer_types", "\"sliding_attention\" for a model of a kind without windows",
                "full_attention");
  if (const auto window = config.find("sliding_window");
      window != config.end() && !window->is_null())
    hyper.notes.push_back(cat("sliding_window ", text_of(*window),
                              " means nothing to a model of this kind: attention sees everything"));
}

void refuse_setting(const Json& config, const char* key) {
  if (const auto found = config.find(key);
      found != config.end() && !found->is_null() && *found != false)
    unsupported(key, text_of(*found), "null");
}

void late_windows(const Json& config, HyperParams& hyper) {
  const bool used = json_bool(config, "use_sliding_window", false);
  if (windows_by_type(config, hyper)) {
    if (!used && hyper.windows != std::vector<std::size_t>(hyper.layers, 0))
      unsupported("use_sliding_window", "false while \"layer_types\" has sliding_attention",
                  "true, or full_attention everywhere");
    return;
  }
  if (!used) return;
  const auto first =
      static_cast<std::size_t>(json_int(config, "max_window_layers", 28, 0, 1 << 20));
  for (std::size_t i = first; i < hyper.layers; ++i) hyper.windows[i] = window_of(config);
}

HyperParams read_hyper_params(const Json& config, const ModelSpec& spec) {
  HyperParams hyper;
  hyper.hidden = size_of(config, "hidden_size", 0, 1 << 20);
  hyper.mlp_hidden = size_of(config, "intermediate_size", 0, 1 << 22);
  hyper.layers = size_of(config, "num_hidden_layers", 0, 4096);
  hyper.heads = size_of(config, "num_attention_heads", 0, 4096);
  hyper.kv_heads =
      size_of(config, "num_key_value_heads", static_cast<std::int64_t>(hyper.heads), 4096);
  hyper.vocabulary = size_of(config, "vocab_size", 0, 1 << 24);
  hyper.context = size_of(config, "max_position_embeddings", 2048, 1 << 28);
  const std::size_t head_dim = spec.default_head_dim != 0
                                   ? spec.default_head_dim
                                   : std::max<std::size_t>(1, hyper.hidden / hyper.heads);
  hyper.head_dim = size_of(config, "head_dim", static_cast<std::int64_t>(head_dim), 1 << 16);
  if (hyper.heads % hyper.kv_heads != 0)
    throw Error(ErrorKind::kCorruptFile,
                cat("\"num_key_value_heads\" ", hyper.kv_heads,
                    " does not divide \"num_attention_heads\" ", hyper.heads));
  if (hyper.head_dim % 2 != 0)
    throw Error(ErrorKind::kCorruptFile,
                cat("\"head_dim\" is ", hyper.head_dim, "; expected an even number"));
  hyper.norm_epsilon = static_cast<float>(number_in(config, "rms_norm_eps", 1e-6, 0, 1));
  hyper.attention_scale = 1 / std::sqrt(static_cast<float>(hyper.head_dim));
  hyper.activation = read_activation(config, spec);
  if (spec.scaled_embedding) hyper.embedding_scale = std::sqrt(static_cast<float>(hyper.hidden));
  read_ropes(config, spec, hyper);
  hyper.windows.assign(hyper.layers, 0);
  hyper.tied_head = json_bool(config, "tie_word_embeddings", spec.tied_by_default);
  hyper.output_bias = spec.optional_attention_bias && json_bool(config, "attention_bias", false);
  hyper.qkv_bias = spec.always_qkv_bias || hyper.output_bias;
  hyper.mlp_bias = spec.optional_mlp_bias && json_bool(config, "mlp_bias", false);
  if (const auto bos = json_int(config, "bos_token_id", -1, -1, INT32_MAX); bos >= 0)
    hyper.bos = static_cast<std::int32_t>(bos);
  hyper.eos = read_eos(config);
  if (spec.adjust != nullptr) spec.adjust(config, hyper);
  for (Rope* rope : {&hyper.rope, &hyper.window_rope})
    rope->frequencies = rope_frequencies(*rope, hyper.head_dim);
  return hyper;
}

}  // namespace nibble
