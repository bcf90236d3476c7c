#include "model/source.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "checkpoint/foreign.h"
#include "checkpoint/layout.h"
#include "checkpoint/outlier_threshold.h"
#include "formats/block_format.h"
#include "model/adapter/adapter.h"
#include "model/config/settled_config.h"
#include "model/gguf/config.h"
#include "model/gguf/names.h"
#include "nibble/error.h"
#include "nn/block_linear.h"
#include "nn/dense_linear.h"
#include "nn/stored_linear.h"

namespace nibble {
namespace {

// The file that holds the tensor or module which a message begins with; empty where it begins with
// none.
std::string file_at_fault(const CheckpointReader& checkpoint, std::string_view message) {
  for (const std::string_view kind : {"module ", "tensor "})
    if (message.starts_with(kind)) message.remove_prefix(kind.size());
  if (!message.starts_with('"')) return {};
  const std::string_view name = message.substr(1, message.find('"', 1) - 1);
  const auto holds = [&](const CheckpointReader& reader) {
    const auto tensors = reader.tensors();
    return std::any_of(tensors.begin(), tensors.end(), [&](const TensorInfo& info) {
      return info.name.starts_with(name) &&
             (info.name.size() == name.size() || info.name[name.size()] == '.');
    });
  };
  const auto files = checkpoint.files();
  if (files.empty() || !holds(checkpoint)) return {};
  if (files.size() == 1) return files.front().string();
  for (const auto& file : files) try {
      if (holds(*open_checkpoint(file))) return file.string();
    } catch (const Error&) {
      // A part that does not open by itself.
    }
  return {};
}

// Errors of `action` with the file in front that is at fault: that of the tensor, else `otherwise`,
// which may be empty.
template <typename Action>
decltype(auto) with_file(const CheckpointReader& checkpoint, std::string_view otherwise,
                         const Action& action) {
  try {
    return action();
  } catch (const Error& error) {
    const std::string_view message = error.what();
    for (const auto& file : checkpoint.files())
      if (message.find(file.string()) != message.npos) throw;  // it is named already
    std::string file = file_at_fault(checkpoint, message);
    if (file.empty()) file = otherwise;
    if (file.empty()) throw;
    throw Error(error.kind(), cat(file, ": ", message));
  }
}

}  // namespace

struct ModelSource::Parts {
  std::filesystem::path path, folder;
  Json config;
  const ModelSpec* spec = nullptr;
  HyperParams hyper;
  std::unique_ptr<CheckpointReader> checkpoint;
  std::unique_ptr<StoredModules> modules;  // null: nothing is quantized as a layout has it
  std::optional<TensorNames> names;
  std::vector<std::string> notes;
  std::string described;  // by what the shapes are: "config.json"
  std::optional<Adapter> adapter;
  float threshold = kOutlierThreshold;

  struct LinearShape {
    Role role;
    std::size_t rows, columns;
    bool bias;
  };

  const TensorInfo& tensor(const std::string& name, const std::vector<std::int64_t>& shape) const {
    return with_file(*checkpoint, "", [&]() -> const TensorInfo& { return checked(name, shape); });
  }

  const TensorInfo& checked(const std::string& name, const std::vector<std::int64_t>& shape) const {
    const TensorInfo& info = checkpoint->at(name);
    if (info.shape != shape)
      throw Error(ErrorKind::kCorruptFile,
                  cat("tensor \"", name, "\" has shape ", list_text(info.shape), "; ", described,
                      " asks for ", list_text(shape)));
    if (info.blocks != nullptr) return info;
    if (info.dtype != DType::kF32 && info.dtype != DType::kF16 && info.dtype != DType::kBF16)
      throw Error(ErrorKind::kUnsupported,
                  cat("tensor \"", name, "\" has type ", nibble::name(info.dtype),
                      "; supported: F32, F16, BF16"));
    return info;
  }

  std::vector<float> vector(const std::string& name, std::size_t size) const {
    const TensorInfo& info = tensor(name, {static_cast<std::int64_t>(size)});
    if (info.blocks != nullptr)
      throw Error(ErrorKind::kUnsupported, cat("tensor \"", name, "\" has type ", info.blocks->name,
                                               "; supported for vectors: F32, F16, BF16"));
    const auto row = dense_linear(checkpoint->bytes(info), info.dtype, 1, size);
    std::vector<float> values(size);
    row->decode(0, Matrix(values.data(), 1, size));
    return values;
  }

  // What a stored gain lacks: GGUF files have the 1 added.
  float gain_offset() const {
    return spec->gain_less_one && checkpoint->gguf() == nullptr ? 1.0f : 0.0f;
  }

  // The gain of a norm, whichever way the checkpoint holds it.
  std::vector<float> gain(const std::string& name, std::size_t size) const {
    std::vector<float> values = vector(name, size);
    for (float& value : values) value += gain_offset();
    return values;
  }

  std::unique_ptr<Linear> matrix(const std::string& name, std::size_t rows, std::size_t columns,
                                 std::vector<float> bias = {},
                                 std::vector<std::uint32_t> row_of = {}) const {
    const TensorInfo& info =
        tensor(name, {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)});
    const auto bytes = checkpoint->bytes(info);
    if (info.blocks != nullptr)
      return block_linear(*info.blocks, bytes, rows, columns, std::move(row_of), std::move(bias));
    if (!row_of.empty())
      return dense_linear_of_rows(bytes, info.dtype, columns, row_of, std::move(bias));
    return dense_linear(bytes, info.dtype, rows, columns, std::move(bias));
  }

  // Empty when the rows lie in order.
  std::vector<std::uint32_t> stored_rows(const LinearShape& shape) const {
    const bool rotated = shape.role == Role::kQuery || shape.role == Role::kKey;
    if (!rotated || !spec->gguf_pairs_rows || checkpoint->gguf() == nullptr) return {};
    return rows_in_pairs(shape.rows, hyper.head_dim);
  }

  std::unique_ptr<Linear> linear(const std::string& module, std::size_t rows, std::size_t columns,
                                 bool has_bias, std::vector<std::uint32_t> row_of = {}) const {
    std::vector<float> bias;
    if (has_bias) bias = vector(module + ".bias", rows);
    if (has_bias && !row_of.empty()) {
      const std::vector<float> stored = bias;
      for (std::size_t r = 0; r < rows; ++r) bias[r] = stored[row_of[r]];
    }
    if (modules != nullptr && modules->holds(module))
      return with_file(*checkpoint, "", [&] {
        auto codes = modules->open(module);
        const CodeShape& shape = codes->shape();
        if (shape.rows != rows || shape.columns != columns)
          throw Error(ErrorKind::kCorruptFile,
                      cat("module \"", module, "\" is ", shape.rows, " x ", shape.columns, "; ",
                          described, " asks for ", rows, " x ", columns));
        return stored_linear(std::move(codes), std::move(bias), threshold);
      });
    return matrix(module + ".weight", rows, columns, std::move(bias), std::move(row_of));
  }

  // With what the adapter adds to it.
  std::unique_ptr<Linear> adapted(const std::string& module, std::unique_ptr<Linear> layer) const {
    auto added = adapter ? adapter->of(module) : nullptr;
    if (added == nullptr) return layer;
    if (added->a.columns() != layer->inputs() || added->b.rows() != layer->outputs())
      throw Error(ErrorKind::kCorruptFile,
                  cat(adapter->folder.string(), ": the addition to ", module, " is ",
                      added->b.rows(), " x ", added->a.columns(), "; the layer is ",
                      layer->outputs(), " x ", layer->inputs()),
                  "use the adapter with the model that it was trained on");
    return std::make_unique<LoraLinear>(std::move(layer), std::move(added));
  }

  // Each addition must be to a layer there is.
  void check_adapter() const {
    if (!adapter) return;
    std::vector<std::string> known = {names->embedding(), names->head()};
    for (std::size_t layer = 0; layer < hyper.layers; ++layer)
      for (const LinearShape& shape : linear_shapes())
        known.push_back(names->module(layer, shape.role));
    for (const auto& [module, added] : adapter->layers)
      if (std::none_of(known.begin(), known.end(), [&](const std::string& one) {
            return plain_module(one) == plain_module(module);
          }))
        throw Error(ErrorKind::kCorruptFile,
                    cat(adapter->folder.string(), ": it adds to ", module,
                        ", which this model does not have"),
                    "use the adapter with the model that it was trained on");
  }

  // What linear() would refuse, without reading weights.
  void check_linear(const std::string& module, std::size_t rows, std::size_t columns,
                    bool has_bias) const {
    if (has_bias) tensor(module + ".bias", {static_cast<std::int64_t>(rows)});
    if (modules != nullptr && modules->holds(module)) return;  // the layout knows its shapes
    tensor(module + ".weight",
           {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)});
  }

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
    const std::string base = names->layer(layer);
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
      check_linear(names->module(layer, shape.role), shape.rows, shape.columns, shape.bias);
  }

  std::unique_ptr<Linear> plain_embedding() const {
    return linear(embedding_module(), hyper.vocabulary, hyper.hidden, false);
  }

  // A pair that is tied may lie under either name.
  std::string embedding_module() const {
    const bool own = !hyper.tied_head || has_module(*checkpoint, names->embedding());
    return own ? names->embedding() : names->head();
  }

  void settle() {
    Settled settled = settle_config(config, *spec, {*checkpoint, *names, modules.get()});
    hyper = std::move(settled.hyper);
    const auto warnings = checkpoint->warnings();
    notes.assign(warnings.begin(), warnings.end());
    notes.insert(notes.end(), settled.notes.begin(), settled.notes.end());
    if (modules == nullptr) return;
    const auto read_otherwise = modules->notes();
    notes.insert(notes.end(), read_otherwise.begin(), read_otherwise.end());
  }

  void divide_frequencies() {
    const std::vector<float> divisors = gguf_rope_divisors(*checkpoint, hyper.head_dim);
    for (Rope* rope : {&hyper.rope, &hyper.window_rope})
      for (std::size_t i = 0; i < divisors.size(); ++i)
        rope->frequencies[i] /= static_cast<double>(divisors[i]);
  }
};

ModelSource::ModelSource(const std::filesystem::path& path, const std::filesystem::path& adapter)
    : parts_(std::make_unique<Parts>()) {
  Parts& parts = *parts_;
  parts.path = path;
  parts.folder = std::filesystem::is_directory(path) ? path : path.parent_path();
  parts.checkpoint = open_checkpoint(path);
  refuse_foreign_tensors(*parts.checkpoint);
  if (parts.checkpoint->gguf() != nullptr) {
    parts.checkpoint = with_hf_names(std::move(parts.checkpoint));
    parts.described = parts.checkpoint->files().front().string();
  } else {
    parts.described = (parts.folder / "config.json").string();
    parts.config =
        layouts::with_side_config(read_json(parts.described), parts.folder, *parts.checkpoint);
  }
  with_file(*parts.checkpoint, parts.described, [&] {
    const bool gguf = parts.checkpoint->gguf() != nullptr;
    if (gguf) parts.config = gguf_config(*parts.checkpoint);
    if (!parts.config.is_object()) throw Error(ErrorKind::kCorruptFile, "not an object");
    parts.spec = &find_spec(parts.config);
    parts.threshold = outlier_threshold(parts.config).value_or(kOutlierThreshold);
    if (const Layout* layout = layouts::claiming(parts.config))
      parts.modules = layout->open(*parts.checkpoint, parts.config["quantization_config"]);
    parts.names.emplace(*parts.checkpoint);
    parts.settle();
    if (gguf) parts.divide_frequencies();
  });
  parts.described = parts.checkpoint->gguf() != nullptr ? "the metadata" : "config.json";
  // Everything a later part needs is looked for now, not after an hour of work.
  embedding();
  final_norm();
  if (!parts.hyper.tied_head)
    parts.check_linear(parts.names->head(), parts.hyper.vocabulary, parts.hyper.hidden, false);
  for (std::size_t layer = 0; layer < parts.hyper.layers; ++layer) parts.check_layer(layer);
  if (adapter.empty()) return;
  parts.adapter = read_adapter(adapter);
  parts.check_adapter();
  embedding();
  head();
  for (std::size_t layer = 0; layer < parts.hyper.layers; ++layer) block(layer);
}

ModelSource::~ModelSource() = default;

const std::filesystem::path& ModelSource::path() const { return parts_->path; }
const std::filesystem::path& ModelSource::folder() const { return parts_->folder; }
std::vector<std::filesystem::path> ModelSource::inputs() const {
  if (parts_->checkpoint->gguf() != nullptr) return parts_->checkpoint->files();
  return {parts_->folder};
}
const Json& ModelSource::config() const { return parts_->config; }
const Adapter* ModelSource::adapter() const {
  return parts_->adapter ? &*parts_->adapter : nullptr;
}
const ModelSpec& ModelSource::spec() const { return *parts_->spec; }
const HyperParams& ModelSource::hyper() const { return parts_->hyper; }
const CheckpointReader& ModelSource::checkpoint() const { return *parts_->checkpoint; }
const TensorNames& ModelSource::names() const { return *parts_->names; }

const TensorInfo& ModelSource::norm_tensor(std::size_t layer, Norm norm) const {
  const char* name = norm == Norm::kAttention     ? "input_layernorm.weight"
                     : parts_->spec->output_norms ? "pre_feedforward_layernorm.weight"
                                                  : "post_attention_layernorm.weight";
  return parts_->checkpoint->at(parts_->names->layer(layer) + name);
}

std::span<const std::byte> ModelSource::bytes(const TensorInfo& info,
                                              std::vector<std::byte>& room) const {
  const Parts& parts = *parts_;
  const auto stored = parts.checkpoint->bytes(info);
  const bool rotated = info.name.find(".self_attn.q_proj.") != info.name.npos ||
                       info.name.find(".self_attn.k_proj.") != info.name.npos;
  if (!rotated || !parts.spec->gguf_pairs_rows || parts.checkpoint->gguf() == nullptr)
    return stored;
  const auto rows = static_cast<std::size_t>(info.shape.front());
  const std::size_t row_bytes = stored.size() / rows;
  const auto row_of = rows_in_pairs(rows, parts.hyper.head_dim);
  room.resize(stored.size());
  for (std::size_t r = 0; r < rows; ++r)
    std::memcpy(room.data() + r * row_bytes, stored.data() + row_of[r] * row_bytes, row_bytes);
  return room;
}

float ModelSource::gain_offset() const { return parts_->gain_offset(); }

std::string ModelSource::module_path(std::size_t layer, Role role) const {
  return parts_->names->module(layer, role);
}
const std::vector<std::string>& ModelSource::notes() const { return parts_->notes; }

Block ModelSource::block(std::size_t layer) const {
  const Parts& parts = *parts_;
  const HyperParams& hyper = parts.hyper;
  const std::string base = parts.names->layer(layer);
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
  for (const auto& shape : parts.linear_shapes()) {
    const std::string module = parts.names->module(layer, shape.role);
    block.linears[static_cast<std::size_t>(shape.role)] = parts.adapted(
        module,
        parts.linear(module, shape.rows, shape.columns, shape.bias, parts.stored_rows(shape)));
  }
  return block;
}

std::unique_ptr<Linear> ModelSource::embedding() const {
  const Parts& parts = *parts_;
  return parts.adapted(parts.names->embedding(), parts.plain_embedding());
}

std::vector<float> ModelSource::final_norm() const {
  return parts_->gain(parts_->names->final_norm() + ".weight", parts_->hyper.hidden);
}

std::unique_ptr<Linear> ModelSource::head() const {
  const Parts& parts = *parts_;
  // A tied pair shares what the checkpoint has; an addition is to one of the two.
  return parts.adapted(
      parts.names->head(),
      parts.hyper.tied_head
          ? parts.plain_embedding()
          : parts.linear(parts.names->head(), parts.hyper.vocabulary, parts.hyper.hidden, false));
}

void ModelSource::drop_layer(std::size_t layer) const {
  const std::string base = parts_->names->layer(layer);
  for (const TensorInfo& info : parts_->checkpoint->tensors())
    if (info.name.starts_with(base)) parts_->checkpoint->drop(info);
}

}  // namespace nibble
