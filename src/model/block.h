// One decoder block, as six stages with a linear layer's input at each seam: calibration and
// streaming quantization run stage by stage over all samples, the model runs them in one go.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/spec.h"
#include "nn/attention/kv_rows.h"
#include "nn/linear.h"
#include "nn/rope.h"

namespace nibble {

struct AttentionShape;

enum class Role { kQuery, kKey, kValue, kOutput, kGate, kUp, kDown };
inline constexpr std::size_t kRoles = 7;

// The norms in front of attention and MLP.
enum class Norm { kAttention, kMlp };

// Linears that read the same input share a stage: {q, k, v}, {o}, {gate, up}, {down}.
enum class Stage { kAttentionIn, kAttentionOut, kMlpIn, kMlpOut };
inline constexpr std::array kStages = {Stage::kAttentionIn, Stage::kAttentionOut, Stage::kMlpIn,
                                       Stage::kMlpOut};
std::span<const Role> roles_of(Stage stage);
// "self_attn.q_proj"
std::string_view module_name(Role role);

// Keys and values of one sequence in one layer: [capacity, kv_heads · head_dim] each.
struct LayerCache {
  KvRows keys;
  KvRows values;
};

// Sequences lying one after another in the rows of a matrix. Each starts at position `past` with
// `past` positions in its cache. Without caches (null) past must be 0.
struct Sequence {
  std::size_t first_row = 0;
  std::size_t length = 0;
  std::size_t past = 0;
  LayerCache* cache = nullptr;
};
using Sequences = std::span<const Sequence>;

// Cosines and sines of every position that these sequences stand at: made once for all layers, with
// other tables only where layers with a window turn at other rates.
class RopeTables {
 public:
  RopeTables(const HyperParams& hyper, Sequences sequences);
  const RopeTable& of(std::size_t layer, std::size_t sequence) const;

 private:
  const HyperParams* hyper_;
  // One for all sequences, or one for each where they stand far apart.
  std::vector<RopeTable> full_, window_;
};

struct Block {
  const ModelSpec* spec = nullptr;
  const HyperParams* hyper = nullptr;
  std::size_t layer = 0;
  std::vector<float> attention_norm, mlp_norm;  // [hidden]
  std::vector<float> query_norm, key_norm;      // [head_dim] or empty
  // Norms of what attention and MLP add to the hidden states, [hidden] or empty.
  std::vector<float> attention_output_norm, mlp_output_norm;
  std::array<std::unique_ptr<Linear>, kRoles> linears;

  Linear& linear(Role role) const { return *linears[static_cast<std::size_t>(role)]; }

  AttentionShape attention_shape() const;

  // hidden [tokens, hidden] -> input of q, k, v, [tokens, hidden]
  void attention_input(ConstMatrix hidden, Matrix out) const;
  // input of q, k, v -> input of o, [tokens, heads · head_dim]
  void attend(ConstMatrix input, Sequences sequences, const RopeTables& ropes, Matrix out,
              Compute compute) const;
  // hidden += o(input), normed where the architecture says so
  void attention_output(ConstMatrix input, Matrix hidden, Compute compute) const;
  // hidden -> input of gate and up, [tokens, hidden]
  void mlp_input(ConstMatrix hidden, Matrix out) const;
  // input of gate and up -> input of down, [tokens, mlp_hidden]
  void mlp_activate(ConstMatrix input, Matrix out, Compute compute) const;
  // hidden += down(input), normed likewise
  void mlp_output(ConstMatrix input, Matrix hidden, Compute compute) const;

  // All six.
  void forward(Matrix hidden, Sequences sequences, const RopeTables& ropes, Compute compute) const;

 private:
  // hidden += linear(input), normed unless `norm` is empty.
  void add_output(const Linear& linear, const std::vector<float>& norm, ConstMatrix input,
                  Matrix hidden, Compute compute) const;
};

}  // namespace nibble
