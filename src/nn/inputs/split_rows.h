// Rows of inputs as LLM.int8 takes them (Dettmers et al., arXiv 2208.07339): bytes with one scale
// for each row, and beside them the columns in which an input is large.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "nibble/tensor.h"
#include "nn/inputs/layer_input.h"

namespace nibble {

// A column is taken out when |x| ≥ threshold in any row of x; 0 takes out none. A row's scale is
// the largest |x| below the threshold / 127, of all its columns: what bitsandbytes does, where the
// paper looks at the columns that stay. What a row gives depends on the rows beside it.
class SplitRows {
 public:
  SplitRows(ConstMatrix x, float threshold);  // on all threads
  float threshold() const { return threshold_; }
  // round(x / scale), 0 in columns that were taken out. [rows, columns]
  const LayerInput& codes() const { return codes_; }
  std::span<const float> scales() const { return scales_; }            // [rows]
  std::span<const std::uint32_t> columns() const { return columns_; }  // taken out, rising
  ConstMatrix outliers() const { return outliers_.view(); }            // x of these columns

 private:
  float threshold_;
  std::vector<float> scales_;
  std::vector<std::uint32_t> columns_;
  Tensor rounded_;
  LayerInput codes_;
  Tensor outliers_;
};

}  // namespace nibble
