// The order in which columns lie in memory: each group by itself, padded to whole blocks. One
// mechanism serves act-order, odd group sizes and ragged rows.
#pragma once

#include <cstdint>
#include <vector>

#include "formats/codes.h"

namespace nibble {

struct SlotOrder {
  std::size_t blocks_per_group = 0;
  std::vector<std::int32_t> slots;  // the column of each, −1: none; empty: slot i is column i
};

// Throws kInvalidArgument (group size or index) and kUnsupported when one group has far more
// columns than the group size.
SlotOrder slot_order(const CodeShape& shape);

}  // namespace nibble
