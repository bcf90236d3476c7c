#include "nn/panels/row_ranges.h"

#include "base/parallel.h"

namespace nibble {

void run_range(const RowRanges& layer, const LayerInput& x, std::size_t first, Matrix y) {
  thread_local Strip strip;
  layer.make(x, first, y.columns, strip);
  layer.multiply(x, strip, 0, y);
}

void run_ranges(const RowRanges& layer, const LayerInput& x, Matrix y) {
  layer.round(x);
  parallel_ranges(layer.outputs(), layer.grain(x), [&](std::size_t begin, std::size_t end) {
    run_range(layer, x, begin, y.columns_at(begin, end - begin));
  });
}

}  // namespace nibble
