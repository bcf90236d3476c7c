#include "nn/slot_input.h"

#include "base/parallel.h"

namespace nibble {

Tensor in_slot_order(ConstMatrix x, std::span<const std::int32_t> slots) {
  Tensor out(x.rows, slots.size());
  parallel_ranges(x.rows, 32, [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t)
      for (std::size_t slot = 0; slot < slots.size(); ++slot) {
        const std::int32_t column = slots[slot];
        out.view()(t, slot) = column < 0 ? 0.0f : x(t, static_cast<std::size_t>(column));
      }
  });
  return out;
}

}  // namespace nibble
