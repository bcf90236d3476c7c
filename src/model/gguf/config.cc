#include "model/gguf/config.h"

#include <cstring>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.h"
#include "checkpoint/gguf_metadata.h"
#include "model/spec.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr const char* kEmbedding = "model.embed_tokens.weight";

const ModelSpec& spec_of(const std::string& architecture) {
  std::vector<std::string> known;
  for (const ModelSpec* spec : specs::all()) {
    if (spec->gguf_name.empty()) continue;
    if (spec->gguf_name == architecture) return *spec;
    known.emplace_back(spec->gguf_name);
  }
  throw Error(ErrorKind::kUnsupported,
              cat("key \"general.architecture\" is \"", architecture.substr(0, 100),
                  "\", which is not supported"),
              cat("supported: ", join(known, ", ")));
}

// Keys of one architecture: "A.block_count".
class Keys {
 public:
  Keys(const GgufMetadata& metadata, std::string architecture)
      : metadata_(metadata), prefix_(std::move(architecture) + ".") {}

  std::optional<std::int64_t> integer(std::string_view name, std::int64_t low,
                                      std::int64_t high) const {
    return metadata_.integer(prefix_ + std::string(name), low, high);
  }
  std::int64_t needed(std::string_view name, std::int64_t high) const {
    const auto value = integer(name, 1, high);
    if (!value) throw Error(ErrorKind::kCorruptFile, cat("key \"", prefix_, name, "\" is missing"));
    return *value;
  }
  std::optional<double> number(std::string_view name) const {
    return metadata_.number(prefix_ + std::string(name), 0, 1e12);
  }
  std::string text(std::string_view name) const {
    return metadata_.text(prefix_ + std::string(name), 256).value_or("");
  }
  // Refuses a value other than the one that the forward pass has.
  void expect(std::string_view name, std::int64_t value) const {
    if (const auto own = integer(name, 0, INT32_MAX); own && *own != value)
      throw Error(ErrorKind::kUnsupported,
                  cat("key \"", prefix_, name, "\" is ", *own, "; supported: ", value));
  }
  void expect_number(std::string_view name, double value) const {
    if (const auto own = number(name); own && *own != value)
      throw Error(ErrorKind::kUnsupported,
                  cat("key \"", prefix_, name, "\" is ", *own, "; supported: ", value));
  }

 private:
  const GgufMetadata& metadata_;
  std::string prefix_;
};

// As llama.cpp reads it: the factor may have the key of older files, and is linear where no type
// says otherwise; a factor of 0 is none.
Json rope_scaling(const Keys& keys) {
  std::optional<double> factor = keys.number("rope.scaling.factor");
  if (!factor) factor = keys.number("rope.scale_linear");
  std::string type = keys.text("rope.scaling.type");
  if (type.empty()) type = "linear";
  if (type == "none" || !factor || *factor == 0) factor = 1;
  if (*factor == 1 && (type == "none" || type == "linear")) return nullptr;
  for (const char* key : {"rope.scaling.attn_factor", "rope.scaling.alpha",
                          "rope.scaling.yarn_ext_factor", "rope.scaling.yarn_attn_factor"})
    keys.expect_number(key, 1);
  Json scaling = {{"rope_type", type}, {"factor", *factor}};
  if (const auto context = keys.integer("rope.scaling.original_context_length", 1, 1 << 28))
    scaling["original_max_position_embeddings"] = *context;
  for (const auto& [own, key] : std::initializer_list<std::pair<const char*, const char*>>{
           {"rope.scaling.yarn_beta_fast", "beta_fast"},
           {"rope.scaling.yarn_beta_slow", "beta_slow"}})
    if (const auto value = keys.number(own)) scaling[key] = *value;
  return scaling;
}

void put_special_tokens(const GgufMetadata& metadata, std::int64_t vocabulary, Json& config) {
  const auto id = [&](const char* name) {
    return metadata.integer(cat("tokenizer.ggml.", name, "_token_id"), 0, vocabulary - 1);
  };
  if (const auto bos = id("bos")) config["bos_token_id"] = *bos;
  Json eos = Json::array();
  for (const char* name : {"eos", "eot", "eom"})
    if (const auto end = id(name)) eos.push_back(*end);
  if (!eos.empty()) config["eos_token_id"] = eos;
}

}  // namespace

Json gguf_config(const CheckpointReader& checkpoint) {
  const GgufMetadata& metadata = *checkpoint.gguf();
  const auto architecture = metadata.text("general.architecture", 256);
  if (!architecture)
    throw Error(ErrorKind::kCorruptFile, "key \"general.architecture\" is missing");
  const ModelSpec& spec = spec_of(*architecture);
  const Keys keys(metadata, *architecture);
  const auto heads = keys.needed("attention.head_count", 4096);
  const auto hidden = keys.needed("embedding_length", 1 << 20);
  const auto head_dim = keys.integer("attention.key_length", 1, 1 << 16).value_or(hidden / heads);
  keys.expect("attention.value_length", head_dim);
  keys.expect("rope.dimension_count", head_dim);
  keys.expect("expert_count", 0);

  const TensorInfo& embedding = checkpoint.at(kEmbedding);
  if (embedding.shape.size() != 2 || embedding.shape[0] < 1)
    throw Error(ErrorKind::kCorruptFile,
                cat("tensor \"token_embd.weight\" has shape ", list_text(embedding.shape)));
  const std::int64_t vocabulary = embedding.shape[0];

  Json config = {
      {"architectures", {spec.hf_class}},
      {"model_type", spec.hf_type.empty() ? spec.name : spec.hf_type},
      {"hidden_size", hidden},
      {"intermediate_size", keys.needed("feed_forward_length", 1 << 22)},
      {"num_hidden_layers", keys.needed("block_count", 4096)},
      {"num_attention_heads", heads},
      {"num_key_value_heads", keys.integer("attention.head_count_kv", 1, 4096).value_or(heads)},
      {"head_dim", head_dim},
      {"vocab_size", vocabulary},
      {"max_position_embeddings", keys.needed("context_length", 1 << 28)},
      {"rope_scaling", rope_scaling(keys)},
      {"tie_word_embeddings", checkpoint.find("lm_head.weight") == nullptr}};
  const auto epsilon = keys.number("attention.layer_norm_rms_epsilon");
  if (!epsilon)
    throw Error(ErrorKind::kCorruptFile,
                cat("key \"", *architecture, ".attention.layer_norm_rms_epsilon\" is missing"));
  config["rms_norm_eps"] = *epsilon;
  const auto window = keys.integer("attention.sliding_window", 0, 1 << 30);
  config["sliding_window"] = window ? Json(*window) : Json(nullptr);
  // Converters leave the scale of scores out: llama.cpp takes the width of a head, but for the one
  // published model of 62 layers, which its spec knows.
  if (config["num_hidden_layers"] != 62) config["query_pre_attn_scalar"] = head_dim;
  // Where a key is absent, the spec's default counts; what the spec cannot do, it refuses.
  for (const auto& [own, key] : std::initializer_list<std::pair<const char*, const char*>>{
           {"rope.freq_base", "rope_theta"},
           {"rope.freq_base_swa", "rope_local_base_freq"},
           {"attn_logit_softcapping", "attn_logit_softcapping"},
           {"final_logit_softcapping", "final_logit_softcapping"}})
    if (const auto value = keys.number(own)) config[key] = *value;
  put_special_tokens(metadata, vocabulary, config);
  return config;
}

std::vector<float> gguf_rope_divisors(const CheckpointReader& checkpoint, std::size_t head_dim) {
  const TensorInfo* info = checkpoint.find("rope_freqs.weight");
  if (info == nullptr) return {};
  if (info->dtype != DType::kF32 || info->blocks != nullptr ||
      info->shape != std::vector<std::int64_t>{static_cast<std::int64_t>(head_dim / 2)})
    throw Error(ErrorKind::kCorruptFile,
                cat("tensor \"rope_freqs.weight\" has shape ", list_text(info->shape),
                    "; expected ", head_dim / 2, " numbers of type F32"));
  std::vector<float> divisors(head_dim / 2);
  std::memcpy(divisors.data(), checkpoint.bytes(*info).data(), info->bytes);
  for (const float divisor : divisors)
    if (!(divisor >= 1e-6f && divisor <= 1e6f))
      throw Error(ErrorKind::kCorruptFile, cat("tensor \"rope_freqs.weight\" holds ", divisor,
                                               "; expected numbers from 1e-6 to 1e6"));
  return divisors;
}

}  // namespace nibble
