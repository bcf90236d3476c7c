// config.json of transformers 4 and 5, with every number checked.
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "base/text.h"
#include "model/spec.h"
#include "nibble/error.h"

namespace nibble {
namespace {

[[noreturn]] void unsupported(std::string_view key, std::string_view value,
                              std::string_view known) {
  throw Error(ErrorKind::kUnsupported, cat("\"", key, "\" is ", value, "; supported: ", known));
}

std::string text_of(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::size_t size_of(const Json& config, const char* key, std::int64_t otherwise,
                    std::int64_t high) {
  const std::int64_t value = json_int(config, key, otherwise, 1, high);
  if (value < 1) throw Error(ErrorKind::kCorruptFile, cat("\"", key, "\" is missing"));
  return static_cast<std::size_t>(value);
}

double number_in(const Json& object, const char* key, double otherwise, double low, double high) {
  const double value = json_number(object, key, otherwise);
  if (!(value >= low && value <= high))
    throw Error(ErrorKind::kCorruptFile,
                cat("\"", key, "\" is ", value, "; expected a number from ", low, " to ", high));
  return value;
}

double positive(const Json& object, const char* key, double otherwise) {
  return number_in(object, key, otherwise, 1e-6, 1e12);
}

void refuse_partial_rotation(const Json& object) {
  if (const double part = json_number(object, "partial_rotary_factor", 1); part != 1)
    unsupported("partial_rotary_factor", cat(part), "1");
}

// transformers 5 may give one object for each kind of layer: that of `kind`, or of another kind
// when there is only that.
const Json* rope_of_kind(const Json& parameters, const char* kind) {
  for (const char* tried : {kind, "full_attention", "sliding_attention"})
    if (const auto found = parameters.find(tried); found != parameters.end()) {
      if (found->is_null()) continue;
      if (!found->is_object())
        throw Error(ErrorKind::kCorruptFile, cat("\"rope_parameters.", tried, "\" is of type ",
                                                 found->type_name(), "; expected an object"));
      return &*found;
    }
  return &parameters;
}

// `kind`: "full_attention" or "sliding_attention".
Rope read_rope(const Json& config, const char* kind, std::size_t context, double default_theta) {
  Rope rope;
  rope.theta = positive(config, "rope_theta", default_theta);
  refuse_partial_rotation(config);
  const Json* scaling = nullptr;
  for (const char* key : {"rope_parameters", "rope_scaling"})
    if (const auto found = config.find(key); found != config.end() && found->is_object()) {
      scaling = rope_of_kind(*found, kind);
      break;
    }
  if (scaling == nullptr) return rope;
  rope.theta = positive(*scaling, "rope_theta", rope.theta);
  refuse_partial_rotation(*scaling);
  const std::string type =
      json_string(*scaling, "rope_type", json_string(*scaling, "type", "default"));
  if (type == "default") return rope;
  rope.factor = positive(*scaling, "factor", 1);
  if (type == "linear") {
    rope.scaling = RopeScaling::kLinear;
  } else if (type == "llama3") {
    rope.scaling = RopeScaling::kLlama3;
    rope.low_freq_factor = positive(*scaling, "low_freq_factor", 1);
    rope.high_freq_factor = positive(*scaling, "high_freq_factor", 4);
    rope.original_context = positive(*scaling, "original_max_position_embeddings",
                                     static_cast<double>(std::min<std::size_t>(context, 8192)));
    if (rope.high_freq_factor <= rope.low_freq_factor)
      throw Error(ErrorKind::kCorruptFile, "\"high_freq_factor\" is not above \"low_freq_factor\"");
  } else {
    unsupported("rope_type", cat('"', type, '"'), "default, linear, llama3");
  }
  return rope;
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
      hyper.windows[i] = window_of(config);
    else if (type != "full_attention")
      unsupported("layer_types", text_of(type), "full_attention, sliding_attention");
  }
  return true;
}

void refuse_setting(const Json& config, const char* key) {
  if (const auto found = config.find(key);
      found != config.end() && !found->is_null() && *found != false)
    unsupported(key, text_of(*found), "null");
}

void late_windows(const Json& config, HyperParams& hyper) {
  if (!json_bool(config, "use_sliding_window", false)) return;
  if (windows_by_type(config, hyper)) return;
  const auto first =
      static_cast<std::size_t>(json_int(config, "max_window_layers", 28, 0, 1 << 20));
  for (std::size_t i = first; i < hyper.layers; ++i) hyper.windows[i] = window_of(config);
}

std::vector<double> rope_frequencies(const Rope& rope, std::size_t head_dim) {
  std::vector<double> frequencies(head_dim / 2);
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    double f = std::pow(rope.theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
    if (rope.scaling == RopeScaling::kLinear) f /= rope.factor;
    if (rope.scaling == RopeScaling::kLlama3) {
      const double wavelength = 2 * std::numbers::pi / f;
      if (wavelength > rope.original_context / rope.low_freq_factor) {
        f /= rope.factor;
      } else if (wavelength >= rope.original_context / rope.high_freq_factor) {
        const double t = (rope.original_context / wavelength - rope.low_freq_factor) /
                         (rope.high_freq_factor - rope.low_freq_factor);
        f = (1 - t) * f / rope.factor + t * f;
      }
    }
    frequencies[i] = f;
  }
  return frequencies;
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
  hyper.rope = read_rope(config, "full_attention", hyper.context, spec.default_theta);
  hyper.window_rope = read_rope(config, "sliding_attention", hyper.context, spec.default_theta);
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
