#include "model/onnx/model_of.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "model/onnx/genai_config.h"
#include "nibble/error.h"
#include "nn/rope.h"

namespace nibble {
namespace {

constexpr const char* kRuntime = "com.microsoft";
constexpr std::int64_t kInt32 = 6, kFloat = 1;  // types in ONNX's numbers

std::int64_t signed_size(std::size_t size) { return static_cast<std::int64_t>(size); }

template <typename Value>
OnnxModel::Own constant(std::string name, DType type, std::vector<std::int64_t> shape,
                        std::span<const Value> values, bool in_graph) {
  std::vector<std::byte> bytes(values.size_bytes());
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return {{std::move(name), type, std::move(shape), bytes.size()}, std::move(bytes), in_graph};
}

class Describer {
 public:
  Describer(const ModelSource& source, const std::vector<TensorInfo>& output,
            const OnnxProduct& product)
      : source_(source), hyper_(source.hyper()), output_(output), product_(product) {
    // The operator that rotates and attends takes no others.
    if (hyper_.head_dim % 16 != 0)
      throw Error(ErrorKind::kUnsupported,
                  cat("ONNX Runtime attends with heads of 16, 32, 48 … numbers, and this model's ",
                      "have ", hyper_.head_dim),
                  "take another layout");
  }

  OnnxModel run() {
    announce();
    sort_tensors();
    put_positions();
    put_caches();
    std::string hidden = embedded(), added;
    for (std::size_t layer = 0; layer < hyper_.layers; ++layer) {
      const std::string base = source_.names().layer(layer);
      const bool output_norms = source_.spec().output_norms;
      const std::string behind = base + "post_attention_layernorm.weight";
      std::string normed = sum_and_norm(hidden, added, base + "input_layernorm.weight");
      added = attention(layer, normed);
      if (output_norms) added = norm(added, behind, base + "attention_output_norm");
      normed = sum_and_norm(hidden, added,
                            output_norms ? base + "pre_feedforward_layernorm.weight" : behind);
      added = mlp(layer, normed);
      if (output_norms)
        added = norm(added, base + "post_feedforward_layernorm.weight", base + "mlp_output_norm");
    }
    const std::string last = sum_and_norm(hidden, added, source_.names().final_norm() + ".weight");
    product_(model_, {head_module(), hyper_.vocabulary, hyper_.hidden}, last, "logits");
    model_.files.emplace_back("genai_config.json", genai_config(source_));
    return std::move(model_);
  }

 private:
  bool has(const std::string& tensor) const {
    return std::any_of(output_.begin(), output_.end(),
                       [&](const TensorInfo& info) { return info.name == tensor; });
  }

  std::string node(std::string op, std::vector<std::string> inputs, std::string output,
                   std::vector<OnnxAttribute> attributes = {}, std::string domain = "") {
    model_.nodes.push_back(
        {std::move(op), std::move(domain), std::move(inputs), {output}, std::move(attributes)});
    return output;
  }

  std::string number(std::string name, std::int64_t value) {
    return numbers(std::move(name), std::vector<std::int64_t>{value});
  }
  std::string numbers(std::string name, const std::vector<std::int64_t>& values) {
    model_.own.push_back(constant(name, DType::kI64, {signed_size(values.size())},
                                  std::span<const std::int64_t>(values), true));
    return name;
  }

  void announce() {
    const auto keys_of = [&](const std::string& name, const std::string& length) {
      return OnnxValue{
          name,
          DType::kF32,
          {"batch", signed_size(hyper_.kv_heads), length, signed_size(hyper_.head_dim)}};
    };
    model_.inputs = {{"input_ids", DType::kI64, {"batch", "length"}},
                     {"attention_mask", DType::kI64, {"batch", "total"}}};
    model_.outputs = {{"logits", DType::kF32, {"batch", "length", signed_size(hyper_.vocabulary)}}};
    for (std::size_t layer = 0; layer < hyper_.layers; ++layer)
      for (const char* part : {"key", "value"}) {
        model_.inputs.push_back(keys_of(cat("past_key_values.", layer, ".", part), "past"));
        model_.outputs.push_back(keys_of(cat("present.", layer, ".", part), "total"));
      }
  }

  // Norms and biases are small and read by operators of float32; matrices stay as they are.
  void sort_tensors() {
    const bool own_embedding = has(source_.names().embedding() + ".weight");
    for (const TensorInfo& info : output_) {
      const bool second_head =
          hyper_.tied_head && own_embedding && info.name.starts_with(source_.names().head() + ".");
      if (second_head || info.name.ends_with("rotary_emb.inv_freq"))
        model_.left_out.push_back(info.name);
      else if (info.name.ends_with(".bias"))
        model_.as_float32[info.name] = 0;
      else if (info.name.ends_with("norm.weight"))
        model_.as_float32[info.name] = source_.spec().gain_less_one ? 1.0f : 0.0f;
    }
  }

  // Lengths of rows less one, and of the longest, from the mask.
  void put_positions() {
    number("one", 1);
    node("ReduceSum", {"attention_mask", "one"}, "lengths", {{"keepdims", std::int64_t{0}}});
    node("Sub", {"lengths", "one"}, "last_positions");
    node("Cast", {"last_positions"}, "last_positions_32", {{"to", kInt32}});
    node("Shape", {"attention_mask"}, "mask_shape");
    node("Gather", {"mask_shape", "one"}, "total_length");
    node("Cast", {"total_length"}, "total_length_32", {{"to", kInt32}});
  }

  bool window_ropes() const { return hyper_.window_rope.frequencies != hyper_.rope.frequencies; }
  std::string cache_of(std::size_t layer, const char* function) const {
    return cat(hyper_.windows[layer] != 0 && window_ropes() ? "window_rope." : "rope.", function);
  }

  // Cosines and sines of every position that the model was trained for.
  void put_caches() {
    const auto put = [&](const std::string& name, const Rope& rope) {
      const RopeTable table(rope.frequencies, 0, hyper_.context);
      const std::vector<std::int64_t> shape = {signed_size(hyper_.context),
                                               signed_size(rope.frequencies.size())};
      model_.own.push_back(
          constant(name + ".cosines", DType::kF32, shape,
                   std::span<const float>(table.cosines.data(), table.cosines.size()), false));
      model_.own.push_back(constant(name + ".sines", DType::kF32, shape,
                                    std::span<const float>(table.sines.data(), table.sines.size()),
                                    false));
    };
    const auto windows = std::count_if(hyper_.windows.begin(), hyper_.windows.end(),
                                       [](std::size_t window) { return window != 0; });
    if (windows == 0 || !window_ropes() || windows < static_cast<std::ptrdiff_t>(hyper_.layers))
      put("rope", hyper_.rope);
    if (windows != 0 && window_ropes()) put("window_rope", hyper_.window_rope);
  }

  std::string embedding_module() const {
    const std::string own = source_.names().embedding();
    return !hyper_.tied_head || has(own + ".weight") ? own : source_.names().head();
  }
  std::string head_module() const {
    return hyper_.tied_head ? embedding_module() : source_.names().head();
  }

  std::string embedded() {
    const std::string weight = embedding_module() + ".weight";
    std::string rows = node("Gather", {weight, "input_ids"}, "embedding.stored");
    rows = node("Cast", {rows}, "embedding", {{"to", kFloat}});
    if (hyper_.embedding_scale == 1) return rows;
    model_.own.push_back(constant("embedding_scale", DType::kF32, {},
                                  std::span<const float>(&hyper_.embedding_scale, 1), true));
    return node("Mul", {rows, "embedding_scale"}, "embedding.scaled");
  }

  std::string norm(const std::string& input, const std::string& gain, std::string output) {
    return node("RMSNormalization", {input, gain}, std::move(output),
                {{"axis", std::int64_t{-1}}, {"epsilon", hyper_.norm_epsilon}});
  }

  // `hidden` becomes the sum of both; the norm of that comes back.
  std::string sum_and_norm(std::string& hidden, const std::string& added, const std::string& gain) {
    const std::string normed = gain + ".output";
    if (added.empty()) return norm(hidden, gain, normed);
    const std::string sum = gain + ".input";
    model_.nodes.push_back({"SkipSimplifiedLayerNormalization",
                            kRuntime,
                            {hidden, added, gain},
                            {normed, "", "", sum},
                            {{"epsilon", hyper_.norm_epsilon}}});
    hidden = sum;
    return normed;
  }

  std::string linear(std::size_t layer, Role role, std::size_t rows, std::size_t columns,
                     const std::string& input) {
    const std::string module = source_.module_path(layer, role), bias = module + ".bias";
    const std::string output = module + ".output";
    if (!has(bias)) {
      product_(model_, {module, rows, columns}, input, output);
      return output;
    }
    product_(model_, {module, rows, columns}, input, module + ".product");
    return node("Add", {module + ".product", bias}, output);
  }

  // Each head by itself.
  std::string normed_heads(const std::string& input, std::size_t heads, const std::string& gain) {
    const std::string apart = cat("heads_apart.", heads);
    if (std::none_of(model_.own.begin(), model_.own.end(),
                     [&](const OnnxModel::Own& own) { return own.info.name == apart; })) {
      numbers(apart, {0, 0, signed_size(heads), signed_size(hyper_.head_dim)});
      numbers(cat("heads_together.", heads), {0, 0, signed_size(heads * hyper_.head_dim)});
    }
    std::string normed = node("Reshape", {input, apart}, input + ".heads");
    normed = norm(normed, gain, input + ".normed_heads");
    return node("Reshape", {normed, cat("heads_together.", heads)}, input + ".normed");
  }

  std::string attention(std::size_t layer, const std::string& input) {
    const std::size_t width = hyper_.heads * hyper_.head_dim,
                      kv_width = hyper_.kv_heads * hyper_.head_dim;
    const std::string base = source_.names().layer(layer) + "self_attn.";
    std::string query = linear(layer, Role::kQuery, width, hyper_.hidden, input);
    std::string key = linear(layer, Role::kKey, kv_width, hyper_.hidden, input);
    const std::string value = linear(layer, Role::kValue, kv_width, hyper_.hidden, input);
    if (source_.spec().query_key_norm) {
      query = normed_heads(query, hyper_.heads, base + "q_norm.weight");
      key = normed_heads(key, hyper_.kv_heads, base + "k_norm.weight");
    }
    const double grown = hyper_.rope_of(layer).attention_factor;
    OnnxNode attend{
        "GroupQueryAttention",
        kRuntime,
        {query, key, value, cat("past_key_values.", layer, ".key"),
         cat("past_key_values.", layer, ".value"), "last_positions_32", "total_length_32",
         cache_of(layer, "cosines"), cache_of(layer, "sines")},
        {base + "attended", cat("present.", layer, ".key"), cat("present.", layer, ".value")},
        {{"num_heads", signed_size(hyper_.heads)},
         {"kv_num_heads", signed_size(hyper_.kv_heads)},
         {"scale", hyper_.attention_scale * static_cast<float>(grown * grown)},
         {"do_rotary", std::int64_t{1}}}};
    if (hyper_.windows[layer] != 0)
      attend.attributes.push_back({"local_window_size", signed_size(hyper_.windows[layer])});
    model_.nodes.push_back(std::move(attend));
    return linear(layer, Role::kOutput, hyper_.hidden, width, base + "attended");
  }

  std::string mlp(std::size_t layer, const std::string& input) {
    const std::string base = source_.names().layer(layer) + "mlp.";
    const std::string gate = linear(layer, Role::kGate, hyper_.mlp_hidden, hyper_.hidden, input);
    const std::string up = linear(layer, Role::kUp, hyper_.mlp_hidden, hyper_.hidden, input);
    std::string active = base + "activated";
    if (hyper_.activation == Activation::kGeluTanh) {
      node("Gelu", {gate}, active, {{"approximate", std::string("tanh")}});
    } else {
      node("Sigmoid", {gate}, base + "sigmoid");
      node("Mul", {gate, base + "sigmoid"}, active);
    }
    const std::string middle = node("Mul", {active, up}, base + "middle");
    return linear(layer, Role::kDown, hyper_.hidden, hyper_.mlp_hidden, middle);
  }

  const ModelSource& source_;
  const HyperParams& hyper_;
  const std::vector<TensorInfo>& output_;
  const OnnxProduct& product_;
  OnnxModel model_;
};

}  // namespace

OnnxModel onnx_model_of(const ModelSource& source, const std::vector<TensorInfo>& output,
                        const OnnxProduct& product) {
  return Describer(source, output, product).run();
}

}  // namespace nibble
