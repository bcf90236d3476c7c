#include "model/config/settled_config.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {

struct Shape {
  std::size_t rows, columns;
};

class Settling {
 public:
  Settling(Json& config, const ModelSpec& spec, const StoredModel& stored)
      : config_(config),
        spec_(spec),
        stored_(stored),
        said_by_(stored.checkpoint.gguf() == nullptr ? "config.json" : "the metadata") {
    result_.hyper = read_hyper_params(config, spec);
  }

  Settled run() {
    note_kind();
    vocabulary();
    heads();
    mlp();
    head();
    if (changed_) hyper() = read_hyper_params(config_, spec_);
    result_.notes.insert(result_.notes.begin(), hyper().notes.begin(), hyper().notes.end());
    biases();
    note_further_layers();
    note_unused();
    return std::move(result_);
  }

 private:
  HyperParams& hyper() { return result_.hyper; }
  const TensorNames& names() const { return stored_.names; }

  const TensorInfo* find(const std::string& name) const { return stored_.checkpoint.find(name); }

  bool is_quantized(const std::string& module) const {
    return stored_.modules != nullptr && stored_.modules->holds(module);
  }

  std::optional<Shape> shape_of(const std::string& module) const {
    if (is_quantized(module)) {
      const auto codes = stored_.modules->open(module);
      return Shape{codes->shape().rows, codes->shape().columns};
    }
    const TensorInfo* info = find(module + ".weight");
    if (info == nullptr || info->shape.size() != 2) return std::nullopt;
    return Shape{static_cast<std::size_t>(info->shape[0]),
                 static_cast<std::size_t>(info->shape[1])};
  }

  std::optional<Shape> shape_of(Role role) const { return shape_of(names().module(0, role)); }

  // A number of which the config says nothing is no disagreement.
  void set(const char* key, std::size_t value) {
    const auto said = config_.find(key);
    if (said != config_.end() && !said->is_null())
      result_.notes.push_back(
          cat(said_by_, " says ", key, " ", said->dump(), ", the tensors ", value));
    config_[key] = value;
    changed_ = true;
  }

  // Programs differ in which of the two they go by.
  void note_kind() {
    const std::string type = json_string(config_, "model_type", "");
    for (const ModelSpec* other : specs::all())
      if (other != &spec_ && type == (other->hf_type.empty() ? other->name : other->hf_type))
        result_.notes.push_back(cat(said_by_, " says model_type ", type, ", but ", spec_.hf_class,
                                    " for its architecture, which counts"));
  }

  // Embeddings are padded for speed, or get rows for new tokens.
  void vocabulary() {
    const auto embedding = shape_of(names().embedding());
    if (embedding && embedding->rows != hyper().vocabulary) set("vocab_size", embedding->rows);
  }

  // Two of three must agree: the number of heads, that of key heads and their width.
  void heads() {
    const auto query = shape_of(Role::kQuery), key = shape_of(Role::kKey);
    if (!query || !key) return;
    std::size_t heads = hyper().heads, kv_heads = hyper().kv_heads, width = hyper().head_dim;
    const TensorInfo* norm =
        spec_.query_key_norm ? find(names().layer(0) + "self_attn.q_norm.weight") : nullptr;
    if (norm != nullptr && norm->shape.size() == 1 && norm->shape[0] > 0) {
      width = static_cast<std::size_t>(norm->shape[0]);
      if (query->rows % width == 0) heads = query->rows / width;
    } else if (query->rows % heads == 0 && query->rows != heads * width) {
      const std::size_t other = query->rows / heads;
      if (other > 0 && key->rows % other == 0 && heads % (key->rows / other) == 0) width = other;
    }
    if (key->rows % width == 0 && key->rows != kv_heads * width) kv_heads = key->rows / width;
    if (query->rows != heads * width || key->rows != kv_heads * width) return;  // cannot tell
    if (width != hyper().head_dim) set("head_dim", width);
    if (heads != hyper().heads) set("num_attention_heads", heads);
    if (kv_heads != hyper().kv_heads) set("num_key_value_heads", kv_heads);
  }

  void mlp() {
    const auto gate = shape_of(Role::kGate);
    if (gate && gate->rows != hyper().mlp_hidden) set("intermediate_size", gate->rows);
  }

  // A head of its own beside a tied flag is what programs write that trained or quantized it apart.
  void head() {
    const bool own = has_module(stored_.checkpoint, names().head());
    if (own) {
      const auto head = shape_of(names().head()), embedding = shape_of(names().embedding());
      if (head && embedding && head->rows != embedding->rows)
        throw Error(ErrorKind::kCorruptFile,
                    cat("\"", names().head(), "\" has ", head->rows, " rows, \"",
                        names().embedding(), "\" ", embedding->rows, "; expected as many"));
    }
    if (own == !hyper().tied_head || (own && head_equals_embedding())) return;
    config_["tie_word_embeddings"] = !own;
    changed_ = true;
    result_.notes.push_back(
        own ? cat(said_by_, " ties the head to the embedding, but \"", names().head(),
                  "\" is another: it is used")
            : cat("there is no \"", names().head(), "\": the embedding is used as the head"));
  }

  bool head_equals_embedding() const {
    if (is_quantized(names().head())) return false;
    const TensorInfo* head = find(names().head() + ".weight");
    const TensorInfo* embedding = find(names().embedding() + ".weight");
    if (head == nullptr || embedding == nullptr) return head != nullptr;  // the only one of both
    if (head->dtype != embedding->dtype || head->blocks != embedding->blocks ||
        head->shape != embedding->shape)
      return false;
    return std::ranges::equal(stored_.checkpoint.bytes(*head),
                              stored_.checkpoint.bytes(*embedding));
  }

  // All layers have a bias or none: one that only some lack is missed by the check of tensors.
  bool has_bias(std::span<const Role> roles) const {
    for (std::size_t layer = 0; layer < result_.hyper.layers; ++layer)
      for (const Role role : roles)
        if (find(names().module(layer, role) + ".bias") != nullptr) return true;
    return false;
  }

  void settle_bias(std::span<const Role> roles, std::string_view where, bool& said) {
    const bool has = has_bias(roles);
    if (has == said) return;
    result_.notes.push_back(has ? cat("the tensors have biases on ", where, ", of which ", said_by_,
                                      " says nothing: they are used")
                                : cat(said_by_, " means biases on ", where, "; there are none"));
    said = has;
  }

  void biases() {
    settle_bias(std::array{Role::kQuery, Role::kKey, Role::kValue}, "q, k and v", hyper().qkv_bias);
    settle_bias(std::array{Role::kOutput}, "o", hyper().output_bias);
    settle_bias(std::array{Role::kGate, Role::kUp, Role::kDown}, "the MLP", hyper().mlp_bias);
  }

  void note_further_layers() {
    std::string next = names().layer(hyper().layers);
    next.pop_back();
    if (has_module(stored_.checkpoint, next))
      result_.notes.push_back(cat(said_by_, " says num_hidden_layers ", hyper().layers, ": \"",
                                  next, "\" and what follows are not used"));
  }

  std::set<std::string> linear_modules() const {
    std::set<std::string> modules;
    for (std::size_t layer = 0; layer < result_.hyper.layers; ++layer)
      for (std::size_t role = 0; role < kRoles; ++role)
        modules.insert(names().module(layer, static_cast<Role>(role)));
    return modules;
  }

  // Modules of which only the weight means something.
  std::set<std::string> other_modules() const {
    std::set<std::string> known = {names().embedding(), names().final_norm(), names().head(),
                                   "rope_freqs"};
    for (std::size_t layer = 0; layer < result_.hyper.layers; ++layer) {
      const std::string base = names().layer(layer);
      for (const char* norm : {"input_layernorm", "post_attention_layernorm"})
        known.insert(base + norm);
      if (spec_.output_norms)
        for (const char* norm : {"pre_feedforward_layernorm", "post_feedforward_layernorm"})
          known.insert(base + norm);
      if (spec_.query_key_norm)
        for (const char* norm : {"self_attn.q_norm", "self_attn.k_norm"}) known.insert(base + norm);
    }
    return known;
  }

  void note_unused() {
    const std::set<std::string> linears = linear_modules(), others = other_modules();
    const auto used = [&](const std::string& name) {
      std::string module = name;
      for (auto dot = name.rfind('.'); dot != name.npos && dot != 0;
           dot = name.rfind('.', dot - 1)) {
        module.resize(dot);
        const std::string part = name.substr(dot + 1);
        if (part == "inv_freq") return true;  // computed here
        const bool linear = linears.contains(module);
        if (!linear && !others.contains(module)) continue;
        return part == "weight" || (linear && part == "bias") ||
               (stored_.modules != nullptr && part != "bias");
      }
      return false;
    };
    const std::string further = names().prefix() + "layers.";
    const auto in_further_layer = [&](const std::string& name) {
      return name.starts_with(further) &&
             std::strtoull(name.c_str() + further.size(), nullptr, 10) >= hyper().layers;
    };
    std::vector<std::string> unused;
    for (const TensorInfo& info : stored_.checkpoint.tensors()) {
      if (info.name.find(".lora_") != info.name.npos)
        throw Error(
            ErrorKind::kUnsupported,
            cat("tensor \"", info.name, "\" is part of an adapter, which changes the model"),
            "merge the adapter into its model first");
      if (!used(info.name) && !in_further_layer(info.name)) unused.push_back(info.name);
    }
    if (unused.empty()) return;
    const std::size_t shown = std::min<std::size_t>(unused.size(), 3);
    result_.notes.push_back(cat(unused.size(), " tensors are not part of a model of this kind: ",
                                join(std::span(unused).first(shown), ", "),
                                unused.size() > shown ? ", …" : ""));
  }

  Json& config_;
  const ModelSpec& spec_;
  const StoredModel& stored_;
  std::string_view said_by_;
  Settled result_;
  bool changed_ = false;
};

}  // namespace

Settled settle_config(Json& config, const ModelSpec& spec, const StoredModel& stored) {
  return Settling(config, spec, stored).run();
}

}  // namespace nibble
