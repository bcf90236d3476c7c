// Packing codes into blocks, slot by slot, and the definition of decoding them.
#include "base/parallel.h"
#include "base/text.h"
#include "formats/format.h"
#include "formats/slot_order.h"
#include "nibble/error.h"

namespace nibble {

std::size_t PackedMatrix::bytes() const {
  return blocks.size() + (scales.size() + zeros.size()) * sizeof(float) +
         slots.size() * sizeof(std::int32_t);
}

PackedMatrix pack(const Codes& codes) {
  if (codes.grid->dimension != 1)
    throw Error(ErrorKind::kUnsupported,
                cat("codes of ", codes.grid->name, " stand for ", codes.grid->dimension,
                    " weights each, which no run-time format packs"));
  SlotOrder order = slot_order(codes);
  PackedMatrix packed;
  packed.format = &formats::running(*codes.grid);
  packed.grid = codes.grid;
  packed.rows = codes.rows;
  packed.columns = codes.columns;
  packed.groups = codes.groups();
  packed.blocks_per_group = order.blocks_per_group;
  packed.scales = codes.scales;
  packed.zeros = codes.zeros;
  packed.slots = std::move(order.slots);

  packed.blocks.resize(codes.rows * packed.row_bytes());
  parallel_ranges(codes.rows, 16, [&](std::size_t begin, std::size_t end) {
    std::uint8_t block[kBlockCodes];
    for (std::size_t r = begin; r < end; ++r) {
      const auto row = codes.row(r);
      std::uint8_t* out = packed.blocks.data() + r * packed.row_bytes();
      for (std::size_t slot = 0; slot < packed.slot_count(); slot += kBlockCodes) {
        const std::uint8_t* from = row.data() + slot;
        if (!packed.slots.empty()) {
          const std::int32_t* columns = packed.slots.data() + slot;
          for (std::size_t i = 0; i < kBlockCodes; ++i)
            block[i] = columns[i] < 0 ? 0 : row[static_cast<std::size_t>(columns[i])];
          from = block;
        }
        packed.format->pack(from, out);
        out += packed.format->block_bytes;
      }
    }
  });
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
              matrix.grid->value(block[k], {matrix.scales[g], matrix.zeros[g]});
      }
    }
  }
}

}  // namespace nibble
