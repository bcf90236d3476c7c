#include "nn/panels/panel_ranges.h"

#include <algorithm>

#include "base/parallel.h"
#include "kernels/panel_types.h"

namespace nibble {

Matrix panel_columns(Matrix y, std::size_t begin, std::size_t end) {
  return y.columns_at(begin * kPanelRows, (end - begin) * kPanelRows);
}

void for_panel_ranges(Matrix y, std::size_t grain, const RunPanels& run) {
  const std::size_t whole = y.columns / kPanelRows, rest = y.columns % kPanelRows;
  parallel_ranges(whole + (rest > 0 ? 1 : 0), grain, [&](std::size_t begin, std::size_t end) {
    const std::size_t inside = std::min(end, whole);
    if (inside > begin) run(begin, inside, panel_columns(y, begin, inside));
    if (inside == end) return;
    Tensor wide(y.rows, kPanelRows);
    run(whole, end, wide.view());
    for (std::size_t r = 0; r < y.rows; ++r)
      std::copy_n(wide.view().row(r), rest, y.row(r) + whole * kPanelRows);
  });
}

}  // namespace nibble
