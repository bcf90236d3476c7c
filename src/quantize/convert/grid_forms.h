// The ways to store a matrix that a layout has, and whether one of them keeps all of its weights.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "checkpoint/layout.h"
#include "quantize/recovery/dense_matrix.h"

namespace nibble {

// Which of them are looked at; empty: all that the layout has.
struct GridHint {
  static constexpr std::size_t kAnyGroup = static_cast<std::size_t>(-1);
  std::string dialect;  // one of the layout's: "Q4_0"
  std::string grid;
  std::size_t group_size = kAnyGroup;  // 0: the whole row

  bool empty() const { return dialect.empty() && grid.empty() && group_size == kAnyGroup; }
};

struct GridForm {
  const BlockFormat* blocks = nullptr;  // of a layout that is one file; null: codes of `settings`
  ModuleSettings settings;
  double bits_per_weight = 0;

  std::string text() const;  // "Q4_0", "int4 in groups of 128"
};

// Is one file all that the layout writes? Its matrices are blocks.
bool writes_blocks(const Layout& layout);

// The forms of a matrix that a dialect (settings) and the hint allow, the smallest first.
std::vector<GridForm> grid_forms(const Layout& layout, const LayoutSettings& settings,
                                 const GridHint& hint, const DenseMatrix& matrix);

// Where the matrix first lies beside the grid, if anywhere. Takes `settings.symmetric` away where
// a zero is not the middle.
std::optional<Misfit> misfit(const Layout& layout, const GridForm& form, const DenseMatrix& matrix,
                             LayoutSettings& settings);
// The same for a few rows: nearly every matrix that lies on no grid is found out by them.
bool sample_fits(const Layout& layout, const GridForm& form, const DenseMatrix& matrix,
                 const LayoutSettings& settings);

}  // namespace nibble
