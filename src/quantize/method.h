// Chooses the codes of one weight matrix. One file in methods/ and one line in its list for each.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/codes.h"
#include "nibble/tensor.h"
#include "quantize/grid.h"

namespace nibble {

enum class Needs { kNothing, kHessian };

enum class ColumnOrder {
  kStatic,      // by falling diag(H), groups fixed on the original columns beforehand
  kNone,        // left to right
  kGroupIndex,  // by falling diag(H), groups are runs of that order: needs g_idx in the file
  kGroupAware,  // sorted inside each group, groups by their largest: groups stay contiguous
};

struct MethodOptions {
  ScaleSearch scales = ScaleSearch::kWeighted;
  ColumnOrder order = ColumnOrder::kStatic;
  double damping = 0.01;  // share of the mean diagonal added to it at first
};

// What a method is given. Weights [rows, columns]; columns / group_size groups per row.
struct Task {
  ConstMatrix weight;
  const Grid* grid = nullptr;
  std::size_t group_size = 128;
  // Σ x·xᵀ / tokens over the inputs this layer sees, [columns, columns], both triangles; empty
  // (rows 0) when there is no calibration.
  ConstMatrix hessian;
  MethodOptions options;
};

struct Outcome {
  Codes codes;
  double weight_error = 0;  // ‖W − Ŵ‖² / ‖W‖²
  double output_error = 0;  // tr((W−Ŵ)H(W−Ŵ)ᵀ) / tr(W H Wᵀ); 0 without a Hessian
  double damping = 0;       // what was added, as a share of the mean diagonal
  std::size_t dead_columns = 0;
  std::vector<std::string> notes;  // every step of the damping ladder, a fallback taken
  bool fallback = false;           // round-to-nearest was used instead
};

struct Method {
  std::string_view name;
  std::string_view summary;
  Needs needs = Needs::kNothing;
  // Uses all threads; the result does not depend on their number.
  Outcome (*quantize)(const Task& task) = nullptr;
};

namespace methods {
std::span<const Method* const> all();
const Method& named(std::string_view name);  // throws kInvalidArgument with the known names
}  // namespace methods

}  // namespace nibble
