// How far one distribution over the vocabulary is from another.
//
// KL(p ‖ q) = Σ p·(ln p − ln q) loses all digits when p and q are close. Since Σp = Σq = 1 it is
// also Σ p·(eᵈ − 1 − d) with d = ln q − ln p: no term is negative, and a constant error of d (from
// the normalisation) enters squared only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace nibble {

struct PositionDifference {
  double kl = 0;                             // KL(base ‖ other), nats; exactly 0 for equal logits
  double base_loss = 0, other_loss = 0;      // −ln of the target's probability
  double base_target = 0, other_target = 0;  // the target's probability
  bool same_top = false;
};

// Room for two rows, reused from position to position.
struct DivergenceRoom {
  std::vector<float> base, other;
};

// base, other: logits [vocabulary].
PositionDifference compare_position(std::span<const float> base, std::span<const float> other,
                                    std::int32_t target, DivergenceRoom& room);

}  // namespace nibble
