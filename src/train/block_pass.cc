#include "train/block_pass.h"

#include <algorithm>
#include <vector>

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "nn/attention/attention.h"
#include "nn/backward/attention_gradient.h"
#include "nn/backward/rms_norm_gradient.h"
#include "nn/joint_forward.h"
#include "nn/rms_norm.h"

namespace nibble {
namespace {

constexpr std::size_t kRows = 16;

Tensor zeros(std::size_t rows, std::size_t columns) {
  Tensor out(rows, columns);
  out.fill(0);
  return out;
}

void add(ConstMatrix part, Matrix to) {
  parallel_ranges(part.rows, kRows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      kernels().add_scaled(1, part.row(r), to.row(r), part.columns);
  });
}

Tensor copy_of(ConstMatrix values) {
  Tensor out(values.rows, values.columns);
  parallel_ranges(values.rows, kRows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      std::copy_n(values.row(r), values.columns, out.view().row(r));
  });
  return out;
}

// hidden += part, normed unless `gain` is empty.
void add_part(const Tensor& part, const std::vector<float>& gain, float epsilon, Matrix hidden) {
  if (gain.empty()) return add(part.view(), hidden);
  Tensor normed(part.rows(), part.columns());
  rms_norm(part.view(), gain, epsilon, normed.view());
  add(normed.view(), hidden);
}

// Each head of each row by itself.
void norm_heads(const Tensor& rows, const std::vector<float>& gain, float epsilon, Tensor& out) {
  out = Tensor(rows.rows(), rows.columns());
  for (std::size_t first = 0; first < rows.columns(); first += gain.size())
    rms_norm(rows.view().columns_at(first, gain.size()), gain, epsilon,
             out.view().columns_at(first, gain.size()));
}

Tensor norm_heads_gradient(const Tensor& rows, const std::vector<float>& gain, float epsilon,
                           const Tensor& dout, std::span<float> dgain) {
  Tensor out = zeros(rows.rows(), rows.columns());
  for (std::size_t first = 0; first < rows.columns(); first += gain.size())
    add_rms_norm_gradient(rows.view().columns_at(first, gain.size()), gain, epsilon,
                          dout.view().columns_at(first, gain.size()),
                          out.view().columns_at(first, gain.size()), dgain);
  return out;
}

// Where a part has a norm before it is added: the gradient of the part under that of the sum.
Tensor before_norm(const Tensor& part, const std::vector<float>& gain, float epsilon,
                   ConstMatrix dsum, std::span<float> dgain) {
  if (gain.empty()) return copy_of(dsum);
  Tensor out = zeros(dsum.rows, dsum.columns);
  add_rms_norm_gradient(part.view(), gain, epsilon, dsum, out.view(), dgain);
  return out;
}

}  // namespace

BlockPass::BlockPass(const Block& block, Sequences sequences, const RopeTables& ropes,
                     Compute compute)
    : block_(block), sequences_(sequences), ropes_(ropes), compute_(compute) {}

void BlockPass::forward(Matrix hidden) {
  input_ = copy_of(hidden);
  attention_forward(hidden);
  middle_ = copy_of(hidden);
  mlp_forward(hidden);
}

void BlockPass::attention_forward(Matrix hidden) {
  const HyperParams& hyper = *block_.hyper;
  const std::size_t tokens = hidden.rows, width = hyper.kv_heads * hyper.head_dim;
  attention_input_ = Tensor(tokens, hidden.columns);
  block_.attention_input(hidden, attention_input_.view());
  query_ = Tensor(tokens, hyper.heads * hyper.head_dim);
  keys_ = Tensor(tokens, width);
  values_ = Tensor(tokens, width);
  const LayerInput shared(attention_input_.view());
  forward_together(std::array<LayerOutput, 3>{{{&block_.linear(Role::kQuery), query_.view()},
                                               {&block_.linear(Role::kKey), keys_.view()},
                                               {&block_.linear(Role::kValue), values_.view()}}},
                   shared, compute_);
  if (!block_.query_norm.empty()) {
    plain_query_ = std::move(query_);
    norm_heads(plain_query_, block_.query_norm, hyper.norm_epsilon, query_);
  }
  if (!block_.key_norm.empty()) {
    plain_keys_ = std::move(keys_);
    norm_heads(plain_keys_, block_.key_norm, hyper.norm_epsilon, keys_);
  }
  mixed_ = Tensor(tokens, query_.columns());
  std::vector<AttentionInput> inputs(sequences_.size());
  parallel_for(sequences_.size(), [&](std::size_t i) {
    const auto rows = [&](Tensor& of) {
      return of.view().rows_at(sequences_[i].first_row, sequences_[i].length);
    };
    apply_rope(rows(query_), hyper.head_dim, ropes_.of(block_.layer, i), 0);
    apply_rope(rows(keys_), hyper.head_dim, ropes_.of(block_.layer, i), 0);
    inputs[i] = {rows(query_), ConstMatrix(rows(keys_)), ConstMatrix(rows(values_)), rows(mixed_)};
  });
  attention(inputs, block_.attention_shape());
  attention_out_ = Tensor(tokens, hidden.columns);
  block_.linear(Role::kOutput).forward(mixed_.view(), attention_out_.view(), compute_);
  add_part(attention_out_, block_.attention_output_norm, hyper.norm_epsilon, hidden);
}

void BlockPass::mlp_forward(Matrix hidden) {
  const HyperParams& hyper = *block_.hyper;
  const std::size_t tokens = hidden.rows;
  mlp_input_ = Tensor(tokens, hidden.columns);
  block_.mlp_input(hidden, mlp_input_.view());
  gate_ = Tensor(tokens, block_.linear(Role::kGate).outputs());
  up_ = Tensor(tokens, gate_.columns());
  const LayerInput shared(mlp_input_.view());
  forward_together(std::array<LayerOutput, 2>{{{&block_.linear(Role::kGate), gate_.view()},
                                               {&block_.linear(Role::kUp), up_.view()}}},
                   shared, compute_);
  activated_ = Tensor(tokens, gate_.columns());
  const auto multiply = hyper.activation == Activation::kGeluTanh ? kernels().gelu_tanh_multiply
                                                                  : kernels().silu_multiply;
  parallel_ranges(tokens, kRows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      multiply(gate_.view().row(r), up_.view().row(r), activated_.view().row(r), gate_.columns());
  });
  mlp_out_ = Tensor(tokens, hidden.columns);
  block_.linear(Role::kDown).forward(activated_.view(), mlp_out_.view(), compute_);
  add_part(mlp_out_, block_.mlp_output_norm, hyper.norm_epsilon, hidden);
}

void BlockPass::through(Role role, ConstMatrix x, ConstMatrix dy, Matrix dx,
                        const BlockGradients& to) {
  if (LayerGradient* own = to.layer(role)) own->add(x, dy, compute_);
  block_.linear(role).add_input_gradient(dy, dx, compute_);
}

void BlockPass::backward(Matrix dhidden, const BlockGradients& to) {
  mlp_backward(dhidden, to);
  attention_backward(dhidden, to);
}

void BlockPass::mlp_backward(Matrix dhidden, const BlockGradients& to) {
  const HyperParams& hyper = *block_.hyper;
  const Tensor dout = before_norm(mlp_out_, block_.mlp_output_norm, hyper.norm_epsilon, dhidden,
                                  to.mlp_output_norm);
  Tensor dactivated = zeros(dhidden.rows, activated_.columns());
  through(Role::kDown, activated_.view(), dout.view(), dactivated.view(), to);
  const auto gradient = hyper.activation == Activation::kGeluTanh ? kernels().gelu_tanh_gradient
                                                                  : kernels().silu_gradient;
  parallel_ranges(dhidden.rows, kRows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      gradient(dactivated.view().row(r), gate_.view().row(r), up_.view().row(r), gate_.columns());
  });
  Tensor dinput = zeros(dhidden.rows, dhidden.columns);
  through(Role::kGate, mlp_input_.view(), gate_.view(), dinput.view(), to);
  through(Role::kUp, mlp_input_.view(), up_.view(), dinput.view(), to);
  add_rms_norm_gradient(middle_.view(), block_.mlp_norm, hyper.norm_epsilon, dinput.view(), dhidden,
                        to.mlp_norm);
}

void BlockPass::attention_backward(Matrix dhidden, const BlockGradients& to) {
  const HyperParams& hyper = *block_.hyper;
  const std::size_t tokens = dhidden.rows;
  const Tensor dout = before_norm(attention_out_, block_.attention_output_norm, hyper.norm_epsilon,
                                  dhidden, to.attention_output_norm);
  Tensor dmixed = zeros(tokens, mixed_.columns());
  through(Role::kOutput, mixed_.view(), dout.view(), dmixed.view(), to);
  Tensor dquery(tokens, query_.columns()), dkeys(tokens, keys_.columns()),
      dvalues(tokens, values_.columns());
  std::vector<AttentionGradient> parts(sequences_.size());
  const auto rows = [&](std::size_t i, auto&& of) {
    return of.view().rows_at(sequences_[i].first_row, sequences_[i].length);
  };
  for (std::size_t i = 0; i < parts.size(); ++i)
    parts[i] = {rows(i, query_), rows(i, keys_), rows(i, values_), rows(i, dmixed),
                rows(i, dquery), rows(i, dkeys), rows(i, dvalues)};
  attention_gradient(parts, block_.attention_shape());
  parallel_for(parts.size(), [&](std::size_t i) {
    undo_rope(rows(i, dquery), hyper.head_dim, ropes_.of(block_.layer, i), 0);
    undo_rope(rows(i, dkeys), hyper.head_dim, ropes_.of(block_.layer, i), 0);
  });
  if (!block_.query_norm.empty())
    dquery = norm_heads_gradient(plain_query_, block_.query_norm, hyper.norm_epsilon, dquery,
                                 to.query_norm);
  if (!block_.key_norm.empty())
    dkeys =
        norm_heads_gradient(plain_keys_, block_.key_norm, hyper.norm_epsilon, dkeys, to.key_norm);
  Tensor dinput = zeros(tokens, dhidden.columns);
  through(Role::kQuery, attention_input_.view(), dquery.view(), dinput.view(), to);
  through(Role::kKey, attention_input_.view(), dkeys.view(), dinput.view(), to);
  through(Role::kValue, attention_input_.view(), dvalues.view(), dinput.view(), to);
  add_rms_norm_gradient(input_.view(), block_.attention_norm, hyper.norm_epsilon, dinput.view(),
                        dhidden, to.attention_norm);
}

}  // namespace nibble
