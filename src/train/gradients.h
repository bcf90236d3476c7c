// Where gradients go. Whoever trains says which parameters it wants; the passes over the model add
// to those and skip the work for others.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "model/block.h"
#include "nibble/tensor.h"

namespace nibble {

// The parameters of one linear layer.
class LayerGradient {
 public:
  virtual ~LayerGradient() = default;
  // x [tokens, inputs]: what the layer read; dy [tokens, outputs]: the gradient of its outputs.
  virtual void add(ConstMatrix x, ConstMatrix dy, Compute compute) = 0;
};

// Empty or null: frozen.
struct BlockGradients {
  std::span<float> attention_norm, mlp_norm, query_norm, key_norm, attention_output_norm,
      mlp_output_norm;
  std::array<LayerGradient*, kRoles> layers{};

  LayerGradient* layer(Role role) const { return layers[static_cast<std::size_t>(role)]; }
};

// Without rows: frozen. A model whose head is its embedding gives both the same matrix.
struct ModelGradients {
  std::vector<BlockGradients> blocks;
  std::span<float> final_norm;
  Matrix embedding, head;  // [vocabulary, hidden]
};

// The whole weight and bias of a layer.
class WeightGradient final : public LayerGradient {
 public:
  WeightGradient(Matrix weight, std::span<float> bias) : weight_(weight), bias_(bias) {}
  void add(ConstMatrix x, ConstMatrix dy, Compute compute) override;

 private:
  Matrix weight_;
  std::span<float> bias_;  // empty: there is none
};

}  // namespace nibble
