// Codes of any grid with scales and zeros that a layout can hold.
#pragma once

#include "base/random.h"
#include "checkpoint/layout.h"
#include "formats/block_codes.h"

namespace nibble::test {

inline Codes sample_codes(const CodeShape& shape, const Storable& storable) {
  Random random(shape.rows + shape.columns + static_cast<std::uint64_t>(shape.bits()));
  Codes codes = make_codes(*shape.grid, shape.rows, shape.columns, shape.group_size);
  for (std::size_t r = 0; r < codes.rows; ++r) {
    for (std::size_t i = 0; i < codes.codes_per_row(); ++i)
      codes.set_code(
          r, i,
          static_cast<Code>(shape.grid->lowest_code() +
                            random.below(shape.grid->used_levels() - shape.grid->lowest_code())));
    for (std::size_t g = 0; g < codes.groups(); ++g) {
      const auto size = static_cast<float>(0.001 + 0.01 * random.uniform());
      GroupParams params{storable.nearest_scale(size), 0};
      const auto lowest = static_cast<std::uint64_t>(storable.lowest_zero);
      if (shape.grid->uniform() &&
          (storable.blocks != nullptr || !storable.free_zeros || shape.grid->centred))
        params.zero = static_cast<float>(shape.grid->levels() / 2);
      else if (shape.grid->uniform())
        params.zero = static_cast<float>(lowest + random.below(shape.grid->levels() - lowest));
      codes.set_params(r, g, params);
    }
  }
  if (storable.together != nullptr) storable.together(codes);
  if (storable.blocks != nullptr && storable.blocks->joint()) {
    Tensor weights(codes.rows, codes.columns);
    for (std::size_t i = 0; i < weights.size(); ++i)
      weights.data()[i] = static_cast<float>(random.uniform() - 0.4);
    fit_blocks(*storable.blocks, weights.view(), {}, codes);
  }
  return codes;
}

}  // namespace nibble::test
