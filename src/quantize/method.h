// Chooses the codes of one weight matrix. One file in methods/ and one line in its list for each.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/layout.h"
#include "formats/codes.h"
#include "nibble/tensor.h"
#include "quantize/options.h"

namespace nibble {

// Of the inputs a layer sees: their largest sizes, or all products of two. Methods know no peaks.
enum class Needs { kNothing, kPeaks, kHessian };

// What a method is given.
struct Task {
  ConstMatrix weight;  // [rows, columns]
  const Grid* grid = nullptr;
  std::size_t group_size = 128;  // columns; a multiple of the grid's dimension
  Storable storable;             // by the output
  // Σ x·xᵀ / tokens over the inputs this layer sees, [columns, columns], both triangles; empty
  // (rows 0) when there is no calibration.
  ConstMatrix hessian;
  // Where the products are not known, but the mean square of each input is: [columns]; or empty.
  std::span<const float> importance = {};
  Options options;  // every one that the method declares, worked out
};

struct Outcome {
  Codes codes;
  // In place of codes: the weights themselves, of methods that take some out and round none
  // (src/prune). No rows: there are codes.
  Tensor dense;
  std::vector<std::size_t> kept_columns;  // of dense weights that lost whole columns; else empty
  double weight_error = 0;                // ‖W − Ŵ‖² / ‖W‖²
  std::optional<double> output_error;  // tr((W−Ŵ)H(W−Ŵ)ᵀ) / tr(W H Wᵀ); none without a Hessian
  std::optional<double> damping;       // what was added, as a share of the mean diagonal
  std::size_t dead_columns = 0;
  std::vector<std::string> notes;  // every step of the damping ladder, a fallback taken
  bool fallback = false;           // round-to-nearest was used instead
};

struct Method {
  std::string_view name;
  std::string_view summary;
  Needs needs = Needs::kNothing;
  std::span<const OptionSpec* const> options = {};  // all that it reads
  // Codes of several grids, groups and storages are chosen alike; why this combination is not, or
  // nothing. May be null.
  std::string (*refusal)(const CodeShape& shape, const Storable& storable,
                         const Options& options) = nullptr;
  // What is to be known of such codes before the work, or nothing. May be null.
  std::string (*note)(const CodeShape& shape) = nullptr;
  // Uses all threads; the result does not depend on their number.
  Outcome (*quantize)(const Task& task) = nullptr;
  bool weighs = false;  // looks at Task::importance where there is one
  // What its own loops spend on a weight grows with this power of the row's length.
  int cost_power = 0;
};

namespace methods {
std::span<const Method* const> all();
const Method& named(std::string_view name);  // throws kInvalidArgument with the known names
}  // namespace methods

}  // namespace nibble
