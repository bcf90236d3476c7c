// A decoder block whose weights are floats that may be changed without changing what it computes.
// It knows what was changed: norms, layers, biases, both sides of a folded scale.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/source.h"

namespace nibble {

class FloatBlock {
 public:
  // `block` is a block of `source`; both outlive this.
  FloatBlock(const ModelSource& source, Block& block);
  FloatBlock(const FloatBlock&) = delete;
  FloatBlock& operator=(const FloatBlock&) = delete;

  const Block& block() const { return block_; }
  // Float weights [outputs, inputs] as they are now.
  ConstMatrix weight(Role role);

  // How many columns of a stage's input can be scaled by themselves, and which one each input
  // column follows: heads that share a value head move together. Empty: all of them.
  std::size_t scalable(Stage stage) const;
  std::span<const std::uint32_t> scale_of(Stage stage) const;

  // Makes the inputs of `stage` smaller by `factors` [scalable(stage)] where they come from (the
  // norm in front, the rows of v or up and their biases) and the columns of the stage's layers
  // larger by as much. A factor that the norm's stored type would round is rounded first, so that
  // the function stays what it was. Factors are positive and finite.
  void fold(Stage stage, std::span<const float> factors);
  // By which each input column of a stage has become smaller since the last call; empty: by
  // nothing.
  std::vector<float> take_factors(Stage stage);

  // Puts the changed layers into the block, as floats. Those that `stays_plain` names will be
  // stored in the source's type and are rounded to it first.
  void install(const std::array<bool, kRoles>& stays_plain);

  // After install(): what was changed, as the checkpoint stores it. Layers only where they stay
  // plain.
  struct Change {
    TensorInfo info;
    std::vector<std::byte> bytes;
  };
  std::vector<Change> changes(const std::array<bool, kRoles>& stays_plain) const;

 private:
  struct Layer {
    Tensor weight;  // no rows: not read, or given to the block
    std::vector<float> bias;
    bool changed = false, bias_changed = false;
  };
  Layer& layer(Role role);  // read when first asked for
  void scale_columns(Role role, std::span<const float> factors, std::span<const std::uint32_t> of);
  void divide_rows(Role role, std::span<const float> factors);
  std::vector<float> divide_gain(std::vector<float>& gain, const TensorInfo& stored,
                                 std::span<const float> factors);

  const ModelSource& source_;
  Block& block_;
  std::array<Layer, kRoles> layers_;
  std::array<std::vector<float>, kStages.size()> factors_;
  bool attention_norm_changed_ = false, mlp_norm_changed_ = false;
  std::vector<std::uint32_t> shared_values_;  // input column of o -> row of v
};

}  // namespace nibble
