// y = x · Wᵀ + b, however W is stored. Code above sees floats; code below sees blocks.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "nibble/tensor.h"

namespace nibble {

// Arithmetic of large products: bfloat16 inputs with float32 sums, or float32 throughout.
enum class Compute { kFloat32, kBfloat16 };

class Linear {
 public:
  virtual ~Linear() = default;
  virtual std::size_t inputs() const = 0;
  virtual std::size_t outputs() const = 0;
  virtual std::size_t bytes() const = 0;  // resident size of the weights
  virtual std::string kind() const = 0;   // "bf16", "int4 groups of 128"
  // x [tokens, inputs] -> y [tokens, outputs]. Uses all threads; the result does not depend on
  // their number.
  virtual void forward(ConstMatrix x, Matrix y, Compute compute) const = 0;
  // Float weights of rows [first, first + out.rows); out [rows, inputs].
  virtual void decode(std::size_t first, Matrix out) const = 0;
  virtual const float* bias() const { return nullptr; }  // [outputs] or null
};

}  // namespace nibble
