// One decoder block forward, with all that the way back needs, and that way. Kept for one block at
// a time: of the others only the inputs are, and the forward pass is made anew (Chen et al. 2016).
#pragma once

#include "train/gradients.h"

namespace nibble {

class BlockPass {
 public:
  // Sequences without caches; all outlive this.
  BlockPass(const Block& block, Sequences sequences, const RopeTables& ropes, Compute compute);

  // hidden [tokens, hidden] becomes what the block makes of it.
  void forward(Matrix hidden);
  // After forward(): dhidden, the gradient of what came out, becomes that of what went in.
  void backward(Matrix dhidden, const BlockGradients& to);

 private:
  void attention_forward(Matrix hidden);
  void mlp_forward(Matrix hidden);
  void attention_backward(Matrix dhidden, const BlockGradients& to);
  void mlp_backward(Matrix dhidden, const BlockGradients& to);
  // What layer `role` says of its input x under dy; its own gradients go where they are wanted.
  void through(Role role, ConstMatrix x, ConstMatrix dy, Matrix dx, const BlockGradients& to);

  const Block& block_;
  Sequences sequences_;
  const RopeTables& ropes_;
  Compute compute_;
  Tensor input_, attention_input_;            // [tokens, hidden]
  Tensor plain_query_, plain_keys_;           // before the norms of heads; no rows without them
  Tensor query_, keys_, values_, mixed_;      // turned
  Tensor attention_out_, middle_;             // before its norm, if it has one; the sum
  Tensor mlp_input_, gate_, up_, activated_;  // [tokens, mlp_hidden]
  Tensor mlp_out_;
};

}  // namespace nibble
