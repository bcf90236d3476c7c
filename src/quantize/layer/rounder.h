// How weights are brought onto a grid: scales and zeros of a group, the nearest code. Methods are
// written against Rounder and never see bytes.
#pragma once

#include <memory>
#include <span>

#include "checkpoint/layout.h"
#include "formats/grid.h"
#include "quantize/options.h"

namespace nibble {

// Of a uniform grid of b bits. Grids with a codebook have no zero and no choice here.
enum class Symmetry {
  kAsymmetric,  // zero anywhere in 0 … 2^b − 1
  kPlain,       // zero 2^(b−1), scale absmax / (2^(b−1) − 1): the lowest code stays unused
  kFullRange,  // zero 2^(b−1), scale 2·absmax / (2^b − 1): all codes, the top clips half a step
  kSigned,  // zero 2^(b−1), scale −m / 2^(b−1), m the value of largest magnitude with its sign
};

enum class ScaleSearch {
  kAbsMax,    // from the extremes alone
  kMse,       // least squared error over the group's weights
  kWeighted,  // the same with each column weighted by its importance, E[x²]
};

// One group of one row. `importance` has the weights' length, or is empty (all equal).
struct GroupView {
  std::span<const float> weights, importance;
};

class Rounder {
 public:
  Rounder(const Grid& grid, const Storable& storable) : grid_(grid), storable_(storable) {}
  virtual ~Rounder() = default;
  Rounder(const Rounder&) = delete;
  Rounder& operator=(const Rounder&) = delete;

  const Grid& grid() const { return grid_; }
  const Storable& storable() const { return storable_; }
  virtual bool free_zero() const = 0;  // each group has a zero of its own

  // Scale and zero for one group, as the output can store them. An all-zero group gets scale 1,
  // or the smallest where the grid has no 0.
  virtual GroupParams fit(const GroupView& group) const = 0;
  // The same scale for given codes by least squares, zero kept.
  virtual GroupParams refit(const GroupView& group, std::span<const Code> codes,
                            GroupParams params) const;
  // The code of the grid's `dimension` weights that is nearest. Ties of uniform grids as the field
  // does: round half to even of weight / scale, then + zero.
  virtual Code nearest(const float* weights, GroupParams params) const = 0;
  // All codes of a group, each as nearest() has it.
  virtual void round(std::span<const float> weights, GroupParams params,
                     std::span<Code> codes) const;

  // The scale or zero nearest to the given one that the output can store; never a scale of 0.
  float stored_scale(float scale) const;
  virtual float stored_zero(float zero) const = 0;

 private:
  const Grid& grid_;
  const Storable storable_;
};

std::unique_ptr<Rounder> make_rounder(const Grid& grid, const Storable& storable, Symmetry symmetry,
                                      ScaleSearch search);

// Options that methods with scales of their own share.
extern const OptionSpec kScalesOption;  // absmax, mse, weighted
extern const OptionSpec
    kSymmetryOption;  // asymmetric, plain, full-range, signed; decided by default
// The rounder for these two options.
std::unique_ptr<Rounder> make_rounder(const Grid& grid, const Storable& storable,
                                      const Options& options);
// Whether scales come from the extremes alone, as the textbooks have them: nothing then corrects or
// polishes what follows from them either.
bool textbook_scales(const Options& options);
// Works out kSymmetryOption where it was left open: the textbook's kPlain beside absmax scales,
// which nothing corrects, else kSigned. Of grids with a codebook it becomes "none", of blocks what
// they are. Throws kInvalidArgument where something else was asked for.
void decide_symmetry(const Grid& grid, const Storable& storable, Options& options);

}  // namespace nibble
