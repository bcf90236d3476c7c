// The values one group of weights may take. Methods are written against Grid and never see bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace nibble {

// value(code) = scale · (code − zero).
struct GroupParams {
  float scale = 1;
  float zero = 0;
};

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

class Grid {
 public:
  virtual ~Grid() = default;
  virtual int bits() const = 0;
  int levels() const { return 1 << bits(); }
  virtual bool symmetric() const = 0;  // the zero is the same for every group
  virtual std::string name() const = 0;

  // Scale and zero for one group. `importance` has the weights' length, or is empty (all equal).
  // An all-zero group gets scale 1.
  virtual GroupParams fit(std::span<const float> weights, std::span<const float> importance,
                          ScaleSearch search) const = 0;

  // The same scale for given codes by least squares (importance as above), zero kept.
  virtual GroupParams refit(std::span<const float> weights, std::span<const std::uint8_t> codes,
                            std::span<const float> importance, GroupParams params) const = 0;

  // The scale or zero nearest to the given one that the output can store.
  virtual float stored_scale(float scale) const = 0;
  virtual float stored_zero(float zero) const = 0;

  // The nearest code; ties as the field does: round half to even of weight/scale, then + zero.
  virtual std::uint8_t nearest(float weight, GroupParams params) const = 0;
  float value(std::uint8_t code, GroupParams params) const {
    return params.scale * (static_cast<float>(code) - params.zero);
  }
};

// Uniform integer grid, 2 … 8 bits. Scales are rounded to float16 before they are used, so that
// the codes fit what a reader of the file will see. Asymmetric zeros lie in lowest_zero … 2^b − 1:
// the first GPTQ dialect cannot store 0.
std::unique_ptr<Grid> uniform_grid(int bits, Symmetry symmetry, int lowest_zero = 0);

}  // namespace nibble
