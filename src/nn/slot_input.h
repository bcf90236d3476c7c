// The input of a layer whose weights lie in another order than its columns.
#pragma once

#include <cstdint>
#include <span>

#include "nibble/tensor.h"

namespace nibble {

// x [tokens, slots] with column slots[i] in place i, 0 where that is −1. Uses all threads.
Tensor in_slot_order(ConstMatrix x, std::span<const std::int32_t> slots);

}  // namespace nibble
