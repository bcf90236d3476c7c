// Packing codes into blocks, slot by slot, and the definition of decoding them.
#include <algorithm>

#include "base/parallel.h"
#include "base/text.h"
#include "formats/format.h"
#include "nibble/error.h"

namespace nibble {
namespace {

void check(const Codes& codes) {
  if (codes.group_size == 0)
    throw Error(ErrorKind::kInvalidArgument, "cannot pack groups of 0 columns");
  if (codes.group_index.empty()) return;
  if (codes.group_index.size() != codes.columns)
    throw Error(ErrorKind::kInvalidArgument,
                cat("the group index has ", codes.group_index.size(), " entries; expected ",
                    codes.columns, ", one for each column"));
  for (std::size_t c = 0; c < codes.columns; ++c)
    if (const auto g = codes.group_index[c]; g < 0 || static_cast<std::size_t>(g) >= codes.groups())
      throw Error(ErrorKind::kInvalidArgument, cat("column ", c, " is said to be in group ", g,
                                                   "; expected 0 to ", codes.groups() - 1));
}

// The columns of each group, in rising order.
std::vector<std::vector<std::int32_t>> columns_by_group(const Codes& codes) {
  std::vector<std::vector<std::int32_t>> columns(codes.groups());
  for (std::size_t c = 0; c < codes.columns; ++c)
    columns[codes.group_of(c)].push_back(static_cast<std::int32_t>(c));
  return columns;
}

}  // namespace

std::size_t PackedMatrix::bytes() const {
  return blocks.size() + (scales.size() + zeros.size()) * sizeof(float) +
         slots.size() * sizeof(std::int32_t);
}

PackedMatrix pack(const Codes& codes) {
  check(codes);
  const auto columns = columns_by_group(codes);
  std::size_t longest = 1;
  for (const auto& group : columns) longest = std::max(longest, group.size());

  PackedMatrix packed;
  packed.format = &formats::with_bits(codes.bits);
  packed.rows = codes.rows;
  packed.columns = codes.columns;
  packed.groups = codes.groups();
  packed.blocks_per_group = (longest + kBlockCodes - 1) / kBlockCodes;
  packed.scales = codes.scales;
  packed.zeros = codes.zeros;

  const std::size_t group_slots = packed.blocks_per_group * kBlockCodes;
  std::vector<std::int32_t> slots(packed.slot_count(), -1);
  for (std::size_t g = 0; g < columns.size(); ++g)
    std::copy(columns[g].begin(), columns[g].end(),
              slots.begin() + static_cast<std::ptrdiff_t>(g * group_slots));

  packed.blocks.resize(codes.rows * packed.row_bytes());
  parallel_ranges(codes.rows, 16, [&](std::size_t begin, std::size_t end) {
    std::uint8_t block[kBlockCodes];
    for (std::size_t r = begin; r < end; ++r) {
      const auto row = codes.row(r);
      std::uint8_t* out = packed.blocks.data() + r * packed.row_bytes();
      for (std::size_t slot = 0; slot < slots.size(); slot += kBlockCodes) {
        for (std::size_t i = 0; i < kBlockCodes; ++i)
          block[i] = slots[slot + i] < 0 ? 0 : row[static_cast<std::size_t>(slots[slot + i])];
        packed.format->pack(block, out);
        out += packed.format->block_bytes;
      }
    }
  });
  bool in_order = slots.size() == codes.columns;
  for (std::size_t i = 0; in_order && i < slots.size(); ++i)
    in_order = slots[i] == static_cast<std::int32_t>(i);
  if (!in_order) packed.slots = std::move(slots);
  return packed;
}

void decode_rows(const PackedMatrix& matrix, std::size_t first, Matrix out) {
  std::uint8_t block[kBlockCodes];
  for (std::size_t i = 0; i < out.rows; ++i) {
    const std::size_t r = first + i;
    const std::uint8_t* from = matrix.blocks.data() + r * matrix.row_bytes();
    for (std::size_t slot = 0; slot < matrix.slot_count(); slot += kBlockCodes) {
      matrix.format->unpack(from, block);
      from += matrix.format->block_bytes;
      const std::size_t g = r * matrix.groups + slot / (matrix.blocks_per_group * kBlockCodes);
      for (std::size_t k = 0; k < kBlockCodes; ++k) {
        const std::int32_t column =
            matrix.slots.empty() ? static_cast<std::int32_t>(slot + k) : matrix.slots[slot + k];
        if (column >= 0)
          out(i, static_cast<std::size_t>(column)) =
              matrix.scales[g] * (static_cast<float>(block[k]) - matrix.zeros[g]);
      }
    }
  }
}

}  // namespace nibble
