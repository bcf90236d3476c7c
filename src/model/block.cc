#include "model/block.h"

#include <algorithm>

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "nn/attention/attention.h"
#include "nn/joint_forward.h"
#include "nn/rms_norm.h"
#include "nn/rope.h"

namespace nibble {
namespace {

constexpr std::array<std::string_view, kRoles> kModuleNames = {
    "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
    "mlp.gate_proj",    "mlp.up_proj",      "mlp.down_proj"};

// Each head of each row by itself.
void normalize_heads(Matrix rows, const std::vector<float>& gain, float epsilon) {
  if (gain.empty()) return;
  for (std::size_t first = 0; first < rows.columns; first += gain.size()) {
    const Matrix head = rows.columns_at(first, gain.size());
    rms_norm(head, gain, epsilon, head);
  }
}

// hidden += part
void add(ConstMatrix part, Matrix hidden) {
  const auto rows = [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      kernels().add_scaled(1, part.row(r), hidden.row(r), part.columns);
  };
  if (part.rows <= 8) return rows(0, part.rows);
  parallel_ranges(part.rows, 64, rows);
}

}  // namespace

std::span<const Role> roles_of(Stage stage) {
  static constexpr std::array kIn = {Role::kQuery, Role::kKey, Role::kValue};
  static constexpr std::array kOut = {Role::kOutput};
  static constexpr std::array kMlp = {Role::kGate, Role::kUp};
  static constexpr std::array kDown = {Role::kDown};
  switch (stage) {
    case Stage::kAttentionIn:
      return kIn;
    case Stage::kAttentionOut:
      return kOut;
    case Stage::kMlpIn:
      return kMlp;
    case Stage::kMlpOut:
      return kDown;
  }
  return {};
}

std::string_view module_name(Role role) { return kModuleNames[static_cast<std::size_t>(role)]; }

void Block::attention_input(ConstMatrix hidden, Matrix out) const {
  rms_norm(hidden, attention_norm, hyper->norm_epsilon, out);
}

AttentionShape Block::attention_shape() const {
  const double grown = hyper->rope_of(layer).attention_factor;
  AttentionShape shape;
  shape.heads = hyper->heads;
  shape.kv_heads = hyper->kv_heads;
  shape.head_dim = hyper->head_dim;
  shape.scale = hyper->attention_scale * static_cast<float>(grown * grown);
  shape.window = hyper->windows[layer];
  return shape;
}

RopeTables::RopeTables(const HyperParams& hyper, Sequences sequences) : hyper_(&hyper) {
  std::size_t first = SIZE_MAX, last = 0, rows = 0;
  for (const Sequence& sequence : sequences) {
    first = std::min(first, sequence.past);
    last = std::max(last, sequence.past + sequence.length);
    rows += sequence.length;
  }
  // One table for all, unless positions lie farther apart than there are rows: a prompt that begins
  // beside a text that is long already.
  const auto fill = [&](const std::vector<double>& frequencies, std::vector<RopeTable>& tables) {
    if (last - first <= rows) {
      tables.emplace_back(frequencies, first, last - first);
      return;
    }
    for (const Sequence& sequence : sequences)
      tables.emplace_back(frequencies, sequence.past, sequence.length);
  };
  fill(hyper.rope.frequencies, full_);
  const bool windows = std::any_of(hyper.windows.begin(), hyper.windows.end(),
                                   [](std::size_t window) { return window != 0; });
  if (windows && hyper.window_rope.frequencies != hyper.rope.frequencies)
    fill(hyper.window_rope.frequencies, window_);
}

const RopeTable& RopeTables::of(std::size_t layer, std::size_t sequence) const {
  const auto& tables = !window_.empty() && hyper_->windows[layer] != 0 ? window_ : full_;
  return tables[tables.size() == 1 ? 0 : sequence];
}

void Block::attend(ConstMatrix input, Sequences sequences, const RopeTables& ropes, Matrix out,
                   Compute compute) const {
  const std::size_t kv_width = hyper->kv_heads * hyper->head_dim;
  Tensor query(input.rows, hyper->heads * hyper->head_dim), keys(input.rows, kv_width),
      values(input.rows, kv_width);
  const LayerInput shared(input);
  forward_together(std::array<LayerOutput, 3>{{{&linear(Role::kQuery), query.view()},
                                               {&linear(Role::kKey), keys.view()},
                                               {&linear(Role::kValue), values.view()}}},
                   shared, compute);
  normalize_heads(query.view(), query_norm, hyper->norm_epsilon);
  normalize_heads(keys.view(), key_norm, hyper->norm_epsilon);

  std::vector<AttentionInput> inputs(sequences.size());
  const auto prepare = [&](std::size_t i) {
    const Sequence& sequence = sequences[i];
    const RopeTable& table = ropes.of(layer, i);
    AttentionInput& attended = inputs[i];
    attended.query = query.view().rows_at(sequence.first_row, sequence.length);
    attended.out = out.rows_at(sequence.first_row, sequence.length);
    Matrix own_keys = keys.view().rows_at(sequence.first_row, sequence.length);
    const Matrix own_values = values.view().rows_at(sequence.first_row, sequence.length);
    apply_rope(query.view().rows_at(sequence.first_row, sequence.length), hyper->head_dim, table,
               sequence.past);
    apply_rope(own_keys, hyper->head_dim, table, sequence.past);
    attended.keys = ConstMatrix(own_keys);
    attended.values = ConstMatrix(own_values);
    if (sequence.cache == nullptr) return;
    LayerCache& cache = *sequence.cache;
    cache.keys.put(sequence.past, own_keys);
    cache.values.put(sequence.past, own_values);
    attended.keys = cache.keys.view(sequence.past + sequence.length);
    attended.values = cache.values.view(sequence.past + sequence.length);
  };
  if (sequences.size() == 1)
    prepare(0);
  else
    parallel_for(sequences.size(), prepare);
  AttentionShape shape = attention_shape();
  shape.round_to_bfloat16 = compute == Compute::kInt8;
  attention(inputs, shape);
}

void Block::attention_output(ConstMatrix input, Matrix hidden, Compute compute) const {
  add_output(linear(Role::kOutput), attention_output_norm, input, hidden, compute);
}

void Block::mlp_input(ConstMatrix hidden, Matrix out) const {
  rms_norm(hidden, mlp_norm, hyper->norm_epsilon, out);
}

void Block::mlp_activate(ConstMatrix input, Matrix out, Compute compute) const {
  const auto activation = hyper->activation == Activation::kGeluTanh ? kernels().gelu_tanh_multiply
                                                                     : kernels().silu_multiply;
  forward_gated(linear(Role::kGate), linear(Role::kUp), activation, input, out, compute);
}

void Block::mlp_output(ConstMatrix input, Matrix hidden, Compute compute) const {
  add_output(linear(Role::kDown), mlp_output_norm, input, hidden, compute);
}

void Block::add_output(const Linear& linear, const std::vector<float>& norm, ConstMatrix input,
                       Matrix hidden, Compute compute) const {
  Tensor out(hidden.rows, hidden.columns);
  linear.forward(input, out.view(), compute);
  if (!norm.empty()) rms_norm(out.view(), norm, hyper->norm_epsilon, out.view());
  add(out.view(), hidden);
}

void Block::forward(Matrix hidden, Sequences sequences, const RopeTables& ropes,
                    Compute compute) const {
  Tensor input(hidden.rows, hidden.columns);
  {
    Tensor mixed(hidden.rows, linear(Role::kOutput).inputs());
    attention_input(hidden, input.view());
    attend(input.view(), sequences, ropes, mixed.view(), compute);
    attention_output(mixed.view(), hidden, compute);
  }
  Tensor activated(hidden.rows, linear(Role::kDown).inputs());
  mlp_input(hidden, input.view());
  mlp_activate(input.view(), activated.view(), compute);
  mlp_output(activated.view(), hidden, compute);
}

}  // namespace nibble
