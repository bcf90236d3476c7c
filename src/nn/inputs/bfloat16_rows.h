// Rows rounded to bfloat16.
#pragma once

#include <cstdint>
#include <vector>

#include "base/aligned_vector.h"
#include "nibble/tensor.h"

namespace nibble {

// Contiguous. Rounds on all threads.
std::vector<std::uint16_t> to_bfloat16(ConstMatrix x);

// In tiles of 16 rows × 32 columns as kernels().tiles, which must exist, reads them. Rounds on all
// threads.
AlignedVector<std::uint16_t> bfloat16_tiles(ConstMatrix x);

}  // namespace nibble
