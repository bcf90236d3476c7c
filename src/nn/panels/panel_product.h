// One matrix in panels against one input, a range of panels at a time: loops over several matrices
// put such ranges together.
#pragma once

#include "nn/panels/panels.h"
#include "nn/panels/tiled_bytes.h"
#include "nn/tile_product.h"

namespace nibble {

// Whether products of `rows` rows are made of bytes; otherwise of bfloat16, on tile registers.
bool multiplies_bytes(std::size_t rows);

// Panels [first, first + count), made dense where the product is a large one. Of one thread.
struct DenseStrip {
  std::size_t first = 0, count = 0;
  AlignedVector<std::uint8_t> codes;
  AlignedVector<float> scales, lows;
  TileProduct::Strip tiles;
};

class PanelProduct {
 public:
  // Rounds x, unless another layer did, on all threads. Looks at both, which must live on.
  PanelProduct(const Panels& w, const LayerInput& x);
  // Panels to be taken at once; what a row gives does not depend on it.
  std::size_t grain() const { return grain_; }
  // Rows of x to be taken at once where several strips share them in the cache: so many, or all.
  std::size_t row_step() const;
  // Makes panels [first, first + count) ready for multiply().
  void make(std::size_t first, std::size_t count, DenseStrip& strip) const;
  // y [rows, 16 · count]: rows [first_row, first_row + y.rows) of x times the strip's rows of w,
  // padding too; first_row is a multiple of row_step().
  void multiply(const DenseStrip& strip, std::size_t first_row, Matrix y) const;
  // Both, with all rows of x.
  void run(std::size_t first, std::size_t count, Matrix y) const;

 private:
  const Panels& w_;
  std::size_t rows_, grain_;
  ByteRows few_{};
  std::unique_ptr<TileProduct> tiles_;
  const TiledBytes* bytes_ = nullptr;  // of x, for products of many rows
};

}  // namespace nibble
