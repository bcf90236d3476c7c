#include "model/source.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "checkpoint/layout.h"
#include "formats/format.h"
#include "nibble/error.h"
#include "nn/dense_linear.h"
#include "nn/packed_linear.h"

namespace nibble {

struct ModelSource::Parts {
  std::filesystem::path folder;
  Json config;
  const ModelSpec* spec = nullptr;
  HyperParams hyper;
  std::unique_ptr<CheckpointReader> checkpoint;
  const Layout* layout = nullptr;
  std::string prefix;  // "model." or nothing

  const TensorInfo& tensor(const std::string& name, std::vector<std::int64_t> shape) const {
    const TensorInfo& info = checkpoint->at(name);
    if (info.shape != shape)
      throw Error(ErrorKind::kCorruptFile,
                  cat("tensor \"", name, "\" has shape ", list_text(info.shape),
                      "; config.json asks for ", list_text(shape)));
    if (info.dtype != DType::kF32 && info.dtype != DType::kF16 && info.dtype != DType::kBF16)
      throw Error(ErrorKind::kUnsupported,
                  cat("tensor \"", name, "\" has type ", nibble::name(info.dtype),
                      "; supported: F32, F16, BF16"));
    return info;
  }

  std::vector<float> vector(const std::string& name, std::size_t size) const {
    const TensorInfo& info = tensor(name, {static_cast<std::int64_t>(size)});
    const auto row = dense_linear(checkpoint->bytes(info), info.dtype, 1, size);
    std::vector<float> values(size);
    row->decode(0, Matrix(values.data(), 1, size));
    return values;
  }

  // The gain of a norm, whichever way the checkpoint holds it.
  std::vector<float> gain(const std::string& name, std::size_t size) const {
    std::vector<float> values = vector(name, size);
    if (spec->gain_less_one)
      for (float& value : values) value += 1;
    return values;
  }

  std::unique_ptr<Linear> dense(const std::string& name, std::size_t rows, std::size_t columns,
                                std::vector<float> bias = {}) const {
    const TensorInfo& info =
        tensor(name, {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)});
    return dense_linear(checkpoint->bytes(info), info.dtype, rows, columns, std::move(bias));
  }

  std::unique_ptr<Linear> linear(const std::string& module, std::size_t rows, std::size_t columns,
                                 bool has_bias) const {
    std::vector<float> bias;
    if (has_bias) bias = vector(module + ".bias", rows);
    if (layout != nullptr)
      if (const auto codes = layout->read(*checkpoint, config["quantization_config"], module)) {
        if (codes->rows != rows || codes->columns != columns)
          throw Error(ErrorKind::kCorruptFile,
                      cat("module \"", module, "\" is ", codes->rows, " x ", codes->columns,
                          "; config.json asks for ", rows, " x ", columns));
        return packed_linear(pack(*codes), std::move(bias));
      }
    return dense(module + ".weight", rows, columns, std::move(bias));
  }

  // What linear() would refuse, without reading weights.
  void check_linear(const std::string& module, std::size_t rows, std::size_t columns,
                    bool has_bias) const {
    if (has_bias) tensor(module + ".bias", {static_cast<std::int64_t>(rows)});
    if (layout != nullptr && holds_module(module)) return;  // the layout knows its shapes
    tensor(module + ".weight",
           {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)});
  }

  // Does the checkpoint have tensors of this module, but no plain weight?
  bool holds_module(const std::string& module) const {
    if (checkpoint->find(module + ".weight") != nullptr) return false;
    const auto tensors = checkpoint->tensors();
    const auto at = std::lower_bound(
        tensors.begin(), tensors.end(), module + ".",
        [](const TensorInfo& info, const std::string& name) { return info.name < name; });
    return at != tensors.end() && at->name.starts_with(module + ".");
  }

  std::string layer_path(std::size_t layer) const { return cat(prefix, "layers.", layer, "."); }

  struct LinearShape {
    Role role;
    std::size_t rows, columns;
    bool bias;
  };
  std::array<LinearShape, kRoles> linear_shapes() const {
    const std::size_t query = hyper.heads * hyper.head_dim, kv = hyper.kv_heads * hyper.head_dim;
    return {{{Role::kQuery, query, hyper.hidden, hyper.qkv_bias},
             {Role::kKey, kv, hyper.hidden, hyper.qkv_bias},
             {Role::kValue, kv, hyper.hidden, hyper.qkv_bias},
             {Role::kOutput, hyper.hidden, query, hyper.output_bias},
             {Role::kGate, hyper.mlp_hidden, hyper.hidden, hyper.mlp_bias},
             {Role::kUp, hyper.mlp_hidden, hyper.hidden, hyper.mlp_bias},
             {Role::kDown, hyper.hidden, hyper.mlp_hidden, hyper.mlp_bias}}};
  }

  void check_layer(std::size_t layer) const {
    const std::string base = layer_path(layer);
    const auto hidden = static_cast<std::int64_t>(hyper.hidden);
    tensor(base + "input_layernorm.weight", {hidden});
    tensor(base + "post_attention_layernorm.weight", {hidden});
    if (spec->output_norms)
      for (const char* norm :
           {"pre_feedforward_layernorm.weight", "post_feedforward_layernorm.weight"})
        tensor(base + norm, {hidden});
    if (spec->query_key_norm)
      for (const char* norm : {"self_attn.q_norm.weight", "self_attn.k_norm.weight"})
        tensor(base + norm, {static_cast<std::int64_t>(hyper.head_dim)});
    for (const LinearShape& shape : linear_shapes())
      check_linear(base + std::string(module_name(shape.role)), shape.rows, shape.columns,
                   shape.bias);
  }

  bool has_own_head() const {
    return checkpoint->find("lm_head.weight") != nullptr || holds_module("lm_head");
  }
};

ModelSource::ModelSource(const std::filesystem::path& folder) : parts_(std::make_unique<Parts>()) {
  Parts& parts = *parts_;
  parts.folder = std::filesystem::is_directory(folder) ? folder : folder.parent_path();
  parts.checkpoint = open_checkpoint(folder);
  parts.config = read_json(parts.folder / "config.json");
  with_context((parts.folder / "config.json").string(), [&] {
    if (!parts.config.is_object()) throw Error(ErrorKind::kCorruptFile, "not an object");
    parts.spec = &find_spec(parts.config);
    parts.hyper = read_hyper_params(parts.config, *parts.spec);
    parts.layout = layouts::claiming(parts.config);
  });
  // Some exporters leave "model." out.
  parts.prefix = parts.checkpoint->find("model.embed_tokens.weight") == nullptr &&
                         parts.checkpoint->find("embed_tokens.weight") != nullptr
                     ? ""
                     : "model.";
  parts.hyper.tied_head = parts.hyper.tied_head || !parts.has_own_head();
  // Everything a later part needs is looked for now, not after an hour of work.
  embedding();
  final_norm();
  if (!parts.hyper.tied_head)
    parts.check_linear("lm_head", parts.hyper.vocabulary, parts.hyper.hidden, false);
  for (std::size_t layer = 0; layer < parts.hyper.layers; ++layer) parts.check_layer(layer);
}

ModelSource::~ModelSource() = default;

const std::filesystem::path& ModelSource::folder() const { return parts_->folder; }
const Json& ModelSource::config() const { return parts_->config; }
const ModelSpec& ModelSource::spec() const { return *parts_->spec; }
const HyperParams& ModelSource::hyper() const { return parts_->hyper; }
const CheckpointReader& ModelSource::checkpoint() const { return *parts_->checkpoint; }

std::string ModelSource::module_path(std::size_t layer, Role role) {
  return cat("model.layers.", layer, ".", module_name(role));
}

Block ModelSource::block(std::size_t layer) const {
  const Parts& parts = *parts_;
  const HyperParams& hyper = parts.hyper;
  const std::string base = parts.layer_path(layer);
  Block block;
  block.spec = parts.spec;
  block.hyper = &hyper;
  block.layer = layer;
  block.attention_norm = parts.gain(base + "input_layernorm.weight", hyper.hidden);
  // One name, two places: the norm behind attention is that of its sum in most architectures (and
  // then the MLP's), that of its output in those with output norms.
  const std::string behind_attention = base + "post_attention_layernorm.weight";
  if (parts.spec->output_norms) {
    block.attention_output_norm = parts.gain(behind_attention, hyper.hidden);
    block.mlp_norm = parts.gain(base + "pre_feedforward_layernorm.weight", hyper.hidden);
    block.mlp_output_norm = parts.gain(base + "post_feedforward_layernorm.weight", hyper.hidden);
  } else {
    block.mlp_norm = parts.gain(behind_attention, hyper.hidden);
  }
  if (parts.spec->query_key_norm) {
    block.query_norm = parts.gain(base + "self_attn.q_norm.weight", hyper.head_dim);
    block.key_norm = parts.gain(base + "self_attn.k_norm.weight", hyper.head_dim);
  }
  for (const auto& shape : parts.linear_shapes())
    block.linears[static_cast<std::size_t>(shape.role)] = parts.linear(
        base + std::string(module_name(shape.role)), shape.rows, shape.columns, shape.bias);
  return block;
}

std::unique_ptr<Linear> ModelSource::embedding() const {
  return parts_->dense(parts_->prefix + "embed_tokens.weight", parts_->hyper.vocabulary,
                       parts_->hyper.hidden);
}

std::vector<float> ModelSource::final_norm() const {
  return parts_->gain(parts_->prefix + "norm.weight", parts_->hyper.hidden);
}

std::unique_ptr<Linear> ModelSource::head() const {
  const Parts& parts = *parts_;
  if (parts.hyper.tied_head) return embedding();
  return parts.linear("lm_head", parts.hyper.vocabulary, parts.hyper.hidden, false);
}

void ModelSource::drop_layer(std::size_t layer) const {
  const std::string base = parts_->layer_path(layer);
  for (const TensorInfo& info : parts_->checkpoint->tensors())
    if (info.name.starts_with(base)) parts_->checkpoint->drop(info);
}

}  // namespace nibble
