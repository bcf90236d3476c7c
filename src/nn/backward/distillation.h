// The loss of a model that learns another's predictions: τ²·KL(p ‖ q) of each token, with p and q
// the softmax of the teacher's and of its own logits over the temperature τ (Hinton et al. 2015,
// arXiv 1503.02531). Its gradient by the logits is τ·(q − p).
#pragma once

#include "nn/backward/head_loss.h"

namespace nibble {

struct TeacherHead {
  const Linear* head = nullptr;
  ConstMatrix hidden;  // [tokens, the teacher's width], after its final norm
  float temperature = 1;
};

// hidden [tokens, width], after the final norm; rows whose label is kNoLabel do not count. `to`:
// null for the loss alone. Both heads have the same vocabulary.
Loss distillation(const Linear& head, ConstMatrix hidden, const TeacherHead& teacher,
                  std::span<const std::int32_t> labels, Compute compute,
                  const HeadGradient* to = nullptr);

}  // namespace nibble
