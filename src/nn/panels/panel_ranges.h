// Products with a matrix in panels, range by range.
#pragma once

#include <memory>

#include "nn/inputs/byte_matrix.h"
#include "nn/panels/panels.h"
#include "nn/panels/row_ranges.h"

namespace nibble {

// Whether products of `rows` rows are made of bytes; otherwise of bfloat16, on tile registers.
bool multiplies_bytes(std::size_t rows);

class PanelRanges final : public RowRanges {
 public:
  // bias: [rows of the panels] or null; it must outlive this.
  PanelRanges(std::unique_ptr<Panels> panels, const float* bias);
  const Panels& panels() const { return *panels_; }

  std::size_t outputs() const override { return panels_->rows(); }
  void round(const LayerInput& x) const override;
  std::size_t grain(const LayerInput& x) const override;
  void make(const LayerInput& x, std::size_t first, std::size_t count, Strip& strip) const override;
  void multiply(const LayerInput& x, const Strip& strip, std::size_t first_row,
                Matrix y) const override;

 private:
  // The same with y of whole panels, without bias.
  void multiply_panels(const LayerInput& x, const Strip& strip, std::size_t first_row,
                       Matrix y) const;

  std::unique_ptr<Panels> panels_;
  const float* bias_;
};

}  // namespace nibble
