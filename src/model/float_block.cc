#include "model/float_block.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "base/parallel.h"
#include "base/text.h"
#include "nibble/error.h"
#include "nn/dense_linear.h"
#include "tensor/half.h"

namespace nibble {
namespace {

std::size_t index_of(Role role) { return static_cast<std::size_t>(role); }

// Floats in a plain element type.
std::vector<std::byte> stored(std::span<const float> values, DType type) {
  std::vector<std::byte> bytes(values.size() * static_cast<std::size_t>(bits(type)) / 8);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (type == DType::kF32) {
      std::memcpy(bytes.data() + 4 * i, &values[i], 4);
      continue;
    }
    const std::uint16_t half =
        type == DType::kF16 ? float_to_half(values[i]) : float_to_bfloat16(values[i]);
    std::memcpy(bytes.data() + 2 * i, &half, 2);
  }
  return bytes;
}

float rounded_to(float value, DType type) {
  return type == DType::kF16    ? half_to_float(float_to_half(value))
         : type == DType::kBF16 ? bfloat16_to_float(float_to_bfloat16(value))
                                : value;
}

}  // namespace

FloatBlock::FloatBlock(const ModelSource& source, Block& block) : source_(source), block_(block) {
  const HyperParams& hyper = source.hyper();
  const std::size_t shared = hyper.heads / hyper.kv_heads;
  shared_values_.resize(hyper.heads * hyper.head_dim);
  for (std::size_t c = 0; c < shared_values_.size(); ++c) {
    const std::size_t head = c / hyper.head_dim;
    shared_values_[c] =
        static_cast<std::uint32_t>(head / shared * hyper.head_dim + c % hyper.head_dim);
  }
}

FloatBlock::Layer& FloatBlock::layer(Role role) {
  Layer& layer = layers_[index_of(role)];
  if (layer.weight.rows() != 0) return layer;
  const Linear& linear = block_.linear(role);
  layer.weight = Tensor(linear.outputs(), linear.inputs());
  parallel_ranges(linear.outputs(), 64, [&](std::size_t begin, std::size_t end) {
    linear.decode(begin, layer.weight.view().rows_at(begin, end - begin));
  });
  if (linear.bias() != nullptr) layer.bias.assign(linear.bias(), linear.bias() + linear.outputs());
  return layer;
}

ConstMatrix FloatBlock::weight(Role role) { return layer(role).weight.view(); }

std::size_t FloatBlock::scalable(Stage stage) const {
  const Role source = stage == Stage::kAttentionOut ? Role::kValue : Role::kUp;
  if (stage == Stage::kAttentionOut || stage == Stage::kMlpOut)
    return block_.linear(source).outputs();
  return source_.hyper().hidden;
}

std::span<const std::uint32_t> FloatBlock::scale_of(Stage stage) const {
  if (stage == Stage::kAttentionOut) return shared_values_;
  return {};
}

void FloatBlock::fold(Stage stage, std::span<const float> factors) {
  NIBBLE_ASSERT(factors.size() == scalable(stage));
  std::vector<float> exact(factors.begin(), factors.end());
  switch (stage) {
    case Stage::kAttentionIn:
      exact = divide_gain(block_.attention_norm,
                          source_.norm_tensor(block_.layer, Norm::kAttention), factors);
      attention_norm_changed_ = true;
      break;
    case Stage::kMlpIn:
      exact = divide_gain(block_.mlp_norm, source_.norm_tensor(block_.layer, Norm::kMlp), factors);
      mlp_norm_changed_ = true;
      break;
    case Stage::kAttentionOut:
      divide_rows(Role::kValue, factors);
      break;
    case Stage::kMlpOut:
      divide_rows(Role::kUp, factors);
      break;
  }
  for (const Role role : roles_of(stage)) scale_columns(role, exact, scale_of(stage));
  const auto of = scale_of(stage);
  auto& known = factors_[static_cast<std::size_t>(stage)];
  known.resize(block_.linear(roles_of(stage).front()).inputs(), 1.0f);
  for (std::size_t c = 0; c < known.size(); ++c) known[c] *= exact[of.empty() ? c : of[c]];
}

std::vector<float> FloatBlock::take_factors(Stage stage) {
  return std::exchange(factors_[static_cast<std::size_t>(stage)], {});
}

// The factors by which the gains really became smaller.
std::vector<float> FloatBlock::divide_gain(std::vector<float>& gain, const TensorInfo& info,
                                           std::span<const float> factors) {
  const float less = source_.gain_offset();
  std::vector<float> exact(gain.size(), 1.0f);
  for (std::size_t c = 0; c < gain.size(); ++c) {
    const float smaller = rounded_to(gain[c] / factors[c] - less, info.dtype) + less;
    // A gain of 0 says nothing about its column; one that would vanish stays.
    if (gain[c] == 0 || smaller == 0 || (smaller < 0) != (gain[c] < 0)) continue;
    exact[c] = gain[c] / smaller;
    gain[c] = smaller;
  }
  return exact;
}

void FloatBlock::divide_rows(Role role, std::span<const float> factors) {
  Layer& divided = layer(role);
  divided.changed = true;
  for (std::size_t r = 0; r < divided.weight.rows(); ++r)
    for (float& value : divided.weight.view().row_span(r)) value /= factors[r];
  for (std::size_t r = 0; r < divided.bias.size(); ++r) divided.bias[r] /= factors[r];
  divided.bias_changed = !divided.bias.empty();
}

void FloatBlock::scale_columns(Role role, std::span<const float> factors,
                               std::span<const std::uint32_t> of) {
  layer(role).changed = true;
  const Matrix weight = layer(role).weight.view();
  parallel_ranges(weight.rows, 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t c = 0; c < weight.columns; ++c)
        weight(r, c) *= factors[of.empty() ? c : of[c]];
  });
}

void FloatBlock::install(const std::array<bool, kRoles>& stays_plain) {
  for (std::size_t i = 0; i < kRoles; ++i) {
    Layer& layer = layers_[i];
    if (!layer.changed || layer.weight.rows() == 0) continue;  // nothing, or nothing since
    const std::string module = source_.module_path(block_.layer, static_cast<Role>(i));
    if (stays_plain[i]) {
      const DType type = source_.checkpoint().at(module + ".weight").dtype;
      for (std::size_t at = 0; at < layer.weight.size(); ++at)
        layer.weight.data()[at] = rounded_to(layer.weight.data()[at], type);
    }
    if (layer.bias_changed) {
      const DType type = source_.checkpoint().at(module + ".bias").dtype;
      for (float& value : layer.bias) value = rounded_to(value, type);
    }
    // Given to the block, it is read from there when another transform asks for it.
    block_.linears[i] = dense_linear(
        stays_plain[i] ? layer.weight.clone() : std::exchange(layer.weight, Tensor()), layer.bias);
  }
}

std::vector<FloatBlock::Change> FloatBlock::changes(
    const std::array<bool, kRoles>& stays_plain) const {
  std::vector<Change> changes;
  const auto add = [&](const TensorInfo& info, std::span<const float> values, float less) {
    std::vector<float> shifted(values.begin(), values.end());
    for (float& value : shifted) value -= less;
    changes.push_back({info, stored(shifted, info.dtype)});
  };
  const float less = source_.gain_offset();
  if (attention_norm_changed_)
    add(source_.norm_tensor(block_.layer, Norm::kAttention), block_.attention_norm, less);
  if (mlp_norm_changed_) add(source_.norm_tensor(block_.layer, Norm::kMlp), block_.mlp_norm, less);
  for (std::size_t i = 0; i < kRoles; ++i) {
    const Layer& layer = layers_[i];
    if (!layer.changed) continue;
    const std::string module = source_.module_path(block_.layer, static_cast<Role>(i));
    if (stays_plain[i])
      add(source_.checkpoint().at(module + ".weight"), {layer.weight.data(), layer.weight.size()},
          0);
    if (layer.bias_changed) add(source_.checkpoint().at(module + ".bias"), layer.bias, 0);
  }
  return changes;
}

}  // namespace nibble
