// Weights that lie on a grid in groups along each row, as the codes and scales that a layout can
// hold.
#pragma once

#include <optional>

#include "checkpoint/layout.h"
#include "quantize/recovery/dense_matrix.h"

namespace nibble {

// `codes` that decode to the weights once rounded to their type, equal but for the sign of zeros;
// or the first group for which there are none. Of an evenly spaced grid all zeros are the middle
// where that is possible; else they are integers, or what else the layout has for zeros, each as
// its group needs it. The grid has dimension 1 and codes of up to 8 bits; `storable` has no blocks.
// Uses all threads.
std::optional<Misfit> recover_codes(const DenseMatrix& matrix, const CodeShape& shape,
                                    const Storable& storable, Codes& codes);

}  // namespace nibble
