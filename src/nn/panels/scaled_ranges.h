// Products with bytes that have one scale for each row, whatever type the scale has: the panels
// hold whole numbers, and sums are scaled when they are complete.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "formats/stored_codes.h"
#include "nn/panels/panel_ranges.h"

namespace nibble {

class ScaledRanges final : public RowRanges {
 public:
  // `panels`: of kPanel_int8, all scales 1; `scales`: [rows]. With a threshold rows of inputs are
  // split as LLM.int8 does (nn/inputs/split_rows.h), without one rounded in blocks of 32.
  ScaledRanges(std::unique_ptr<Panels> panels, std::vector<float> scales, const float* bias,
               std::optional<float> threshold);
  std::size_t bytes() const { return panels_.panels().bytes() + scales_.size() * sizeof(float); }

  std::size_t outputs() const override { return panels_.outputs(); }
  void round(const LayerInput& x) const override { panels_.round(bytes_of(x)); }
  std::size_t grain(const LayerInput& x) const override { return panels_.grain(bytes_of(x)); }
  void make(const LayerInput& x, std::size_t first, std::size_t count, Strip& strip) const override;
  void multiply(const LayerInput& x, const Strip& strip, std::size_t first_row,
                Matrix y) const override;

 private:
  const LayerInput& bytes_of(const LayerInput& x) const;
  // Weights of one column, of rows [first, first + count).
  void read_column(std::size_t column, std::size_t first, std::size_t count, float* out) const;

  PanelRanges panels_;
  std::vector<float> scales_;
  const float* bias_;
  std::optional<float> threshold_;
};

// Null where these are no bytes around a zero of 128 with one scale for each row.
std::unique_ptr<ScaledRanges> scaled_ranges(const StoredCodes& stored, const float* bias,
                                            std::optional<float> threshold);

}  // namespace nibble
