#include "formats/slot_order.h"

#include <algorithm>

#include "base/text.h"
#include "formats/format.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::size_t kMostUneven = 4;  // quantizers fill all groups, the last one aside

void check(const CodeShape& shape) {
  if (shape.group_size == 0)
    throw Error(ErrorKind::kInvalidArgument, "cannot pack groups of 0 columns");
  if (shape.group_index.empty()) return;
  if (shape.group_index.size() != shape.columns)
    throw Error(ErrorKind::kInvalidArgument,
                cat("the group index has ", shape.group_index.size(), " entries; expected ",
                    shape.columns, ", one for each column"));
  for (std::size_t c = 0; c < shape.columns; ++c)
    if (const auto g = shape.group_index[c]; g < 0 || static_cast<std::size_t>(g) >= shape.groups())
      throw Error(ErrorKind::kInvalidArgument, cat("column ", c, " is said to be in group ", g,
                                                   "; expected 0 to ", shape.groups() - 1));
}

}  // namespace

SlotOrder slot_order(const CodeShape& shape) {
  check(shape);
  std::vector<std::size_t> filled(shape.groups());
  for (std::size_t c = 0; c < shape.columns; ++c) ++filled[shape.group_of(c)];
  std::size_t longest = 1;
  for (const std::size_t columns : filled) longest = std::max(longest, columns);

  SlotOrder order;
  order.blocks_per_group = (longest + kBlockCodes - 1) / kBlockCodes;
  const std::size_t group_slots = order.blocks_per_group * kBlockCodes;
  // All groups are padded to the longest: a hostile index would make one of them huge.
  if (longest / kMostUneven > std::max(shape.group_size, kBlockCodes))
    throw Error(
        ErrorKind::kUnsupported,
        cat("a group has ", longest, " columns where the group size is ", shape.group_size));
  order.slots.assign(filled.size() * group_slots, -1);
  for (std::size_t g = 0; g < filled.size(); ++g) filled[g] = g * group_slots;
  for (std::size_t c = 0; c < shape.columns; ++c)
    order.slots[filled[shape.group_of(c)]++] = static_cast<std::int32_t>(c);

  bool in_order = order.slots.size() == shape.columns;
  for (std::size_t i = 0; in_order && i < order.slots.size(); ++i)
    in_order = order.slots[i] == static_cast<std::int32_t>(i);
  if (in_order) order.slots.clear();
  return order;
}

}  // namespace nibble
