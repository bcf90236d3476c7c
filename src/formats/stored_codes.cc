#include "formats/stored_codes.h"

#include <algorithm>
#include <cstring>

#include "base/parallel.h"

namespace nibble {
namespace {

// Sixteen rows as bytes and floats.
class Rows {
 public:
  explicit Rows(const StoredCodes& stored)
      : stored_(stored),
        steps_(stored.blocks() * 8 * kRowsTogether),
        scales_(stored.shape().groups() * kRowsTogether),
        zeros_(scales_.size()) {}

  void read(std::size_t first) {
    stored_.read_codes(first, 0, stored_.blocks(), steps_.data());
    stored_.read_scales(first, scales_.data(), zeros_.data());
  }
  GroupParams params(std::size_t group, std::size_t lane) const {
    return {scales_[group * kRowsTogether + lane], zeros_[group * kRowsTogether + lane]};
  }
  // codes: [columns]
  void codes(std::size_t lane, std::uint8_t* codes) const {
    const std::size_t columns = stored_.shape().columns;
    for (std::size_t c = 0; c < columns; c += 4)
      std::memcpy(codes + c, &steps_[c / 4 * kRowsTogether + lane],
                  std::min<std::size_t>(4, columns - c));
  }

 private:
  const StoredCodes& stored_;
  std::vector<std::uint32_t> steps_;
  std::vector<float> scales_, zeros_;
};

}  // namespace

Codes codes_of(const StoredCodes& stored) {
  const CodeShape& shape = stored.shape();
  Codes codes = make_codes(*shape.grid, shape.rows, shape.columns, shape.group_size);
  codes.group_index = shape.group_index;
  const std::size_t groups = shape.groups();
  const std::size_t parts = (shape.rows + kRowsTogether - 1) / kRowsTogether;
  parallel_ranges(parts, 4, [&](std::size_t begin, std::size_t end) {
    Rows rows(stored);
    for (std::size_t part = begin; part < end; ++part) {
      const std::size_t first = part * kRowsTogether;
      rows.read(first);
      for (std::size_t r = first; r < std::min(shape.rows, first + kRowsTogether); ++r) {
        rows.codes(r - first, codes.row(r).data());
        for (std::size_t g = 0; g < groups; ++g) codes.set_params(r, g, rows.params(g, r - first));
      }
    }
  });
  return codes;
}

void decode_rows(const StoredCodes& stored, std::size_t first, Matrix out) {
  const CodeShape& shape = stored.shape();
  std::vector<std::uint8_t> codes(shape.columns);
  Rows rows(stored);
  for (std::size_t i = 0; i < out.rows; ++i) {
    const std::size_t row = first + i, lane = row % kRowsTogether;
    if (i == 0 || lane == 0) rows.read(row - lane);
    rows.codes(lane, codes.data());
    float* weights = out.row(i);
    if (!shape.group_index.empty()) {
      for (std::size_t c = 0; c < shape.columns; ++c)
        weights[c] = shape.grid->value(codes[c], rows.params(shape.group_of(c), lane));
      continue;
    }
    for (std::size_t g = 0; g < shape.groups(); ++g) {
      const GroupParams params = rows.params(g, lane);
      const std::size_t end = std::min(shape.columns, (g + 1) * shape.group_size);
      for (std::size_t c = g * shape.group_size; c < end; ++c)
        weights[c] = shape.grid->value(codes[c], params);
    }
  }
}

}  // namespace nibble
