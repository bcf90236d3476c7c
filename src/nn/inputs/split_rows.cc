#include "nn/inputs/split_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "nn/inputs/byte_matrix.h"

namespace nibble {
namespace {

constexpr std::size_t kGrain = 16;  // rows

template <typename Rows>
void for_rows(std::size_t rows, const Rows& each) {
  if (rows <= 4)
    each(0, rows);
  else
    parallel_ranges(rows, kGrain, each);
}

// The nearest whole number, ties to even, of |value| below 2^22: plain additions, which compilers
// turn into vectors where they do not know a rounding instruction.
float nearest(float value) {
  constexpr float kShift = 12582912;  // 1.5 · 2^23: floats are whole numbers there
  return (value + kShift) - kShift;
}

// The largest |x| below `limit`.
float largest_below(const float* x, std::size_t columns, float limit) {
  float top = 0;
  for (std::size_t c = 0; c < columns; ++c) {
    const float size = std::fabs(x[c]);
    top = size < limit && size > top ? size : top;
  }
  return top;
}

// Columns with |x| ≥ limit in any row, or with what is no number, which no byte could stand for.
std::vector<std::uint32_t> large_columns(ConstMatrix x, float limit) {
  const std::size_t parts = (x.rows + kGrain - 1) / kGrain;
  std::vector<std::vector<std::uint8_t>> large(parts);
  for_rows(x.rows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t first = begin; first < end; first += kGrain) {
      auto& found = large[first / kGrain];
      found.resize(x.columns);
      for (std::size_t r = first; r < std::min(end, first + kGrain); ++r)
        for (std::size_t c = 0; c < x.columns; ++c)
          found[c] = static_cast<std::uint8_t>(found[c] | (std::fabs(x(r, c)) < limit ? 0 : 1));
    }
  });
  std::vector<std::uint32_t> columns;
  for (std::size_t c = 0; c < x.columns; ++c)
    if (std::any_of(large.begin(), large.end(), [c](const auto& part) { return part[c] != 0; }))
      columns.push_back(static_cast<std::uint32_t>(c));
  return columns;
}

// Rounds x, all of it, and says by what; columns taken out come after.
Tensor rounded(ConstMatrix x, float limit, std::span<const std::uint32_t> columns,
               std::vector<float>& scales) {
  Tensor codes(x.rows, x.columns);
  for_rows(x.rows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      const float top = largest_below(x.row(r), x.columns, limit);
      const float inverse = top > 0 ? 127 / top : 0;
      scales[r] = top / 127;
      const float* from = x.row(r);
      float* to = codes.view().row(r);
      for (std::size_t c = 0; c < x.columns; ++c) to[c] = nearest(from[c] * inverse);
      for (const std::uint32_t c : columns) to[c] = 0;
    }
  });
  return codes;
}

Tensor columns_of(ConstMatrix x, std::span<const std::uint32_t> columns) {
  Tensor out(columns.empty() ? 0 : x.rows, columns.size());
  for (std::size_t r = 0; r < out.rows(); ++r)
    for (std::size_t i = 0; i < columns.size(); ++i) out.view()(r, i) = x(r, columns[i]);
  return out;
}

float limit_of(float threshold) {
  return threshold > 0 ? threshold : std::numeric_limits<float>::infinity();
}

}  // namespace

SplitRows::SplitRows(ConstMatrix x, float threshold)
    : threshold_(threshold),
      scales_(x.rows),
      columns_(large_columns(x, limit_of(threshold))),
      rounded_(rounded(x, limit_of(threshold), columns_, scales_)),
      codes_(rounded_.view(), ByteMatrix::of_codes(rounded_.view())),
      outliers_(columns_of(x, columns_)) {}

}  // namespace nibble
