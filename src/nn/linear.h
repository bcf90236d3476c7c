// y = x · Wᵀ + b, however W is stored. Code above sees floats; code below sees blocks.
#pragma once

#include <cstddef>
#include <string>

#include "nibble/compute.h"
#include "nibble/tensor.h"
#include "nn/inputs/layer_input.h"

namespace nibble {

// The faster float arithmetic of this CPU.
Compute float_compute();
// What a layer computes in that has no form for integer products.
Compute float_compute(Compute wanted);

class RowRanges;

class Linear {
 public:
  virtual ~Linear() = default;
  virtual std::size_t inputs() const = 0;
  virtual std::size_t outputs() const = 0;
  virtual std::size_t bytes() const = 0;  // resident size of the weights
  virtual std::string kind() const = 0;   // "bf16", "int4 groups of 128"
  // x [tokens, inputs] -> y [tokens, outputs]. Uses all threads; the result does not depend on
  // their number.
  virtual void forward(const LayerInput& x, Matrix y, Compute compute) const = 0;
  // Brings the weights into the form that `compute` reads; forward() in another arithmetic may then
  // be slow.
  virtual void prepare(Compute) {}
  // Float weights of rows [first, first + out.rows); out [rows, inputs].
  virtual void decode(std::size_t first, Matrix out) const = 0;
  // dx [tokens, inputs] += dy [tokens, outputs] · W: the gradient of the inputs under that of the
  // outputs, in float arithmetic (float_compute). All threads; any number of them gives the same.
  virtual void add_input_gradient(ConstMatrix dy, Matrix dx, Compute compute) const;
  // [outputs] or null. forward() and ranges() add it; nobody else does.
  virtual const float* bias() const { return nullptr; }
  // The same y in ranges of outputs, so that one loop may serve several layers. Null: only as a
  // whole, by forward(). A layer that adds to another's result keeps this null unless it adds to
  // the ranges too.
  virtual const RowRanges* ranges(Compute) const { return nullptr; }
};

}  // namespace nibble
