// How large the matrices of a block are, by the model's numbers alone.
#pragma once

#include "model/block.h"

namespace nibble {

struct MatrixShape {
  std::size_t outputs = 0, inputs = 0;
};

MatrixShape matrix_shape(Role role, const HyperParams& hyper);

}  // namespace nibble
