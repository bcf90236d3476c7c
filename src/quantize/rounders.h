// The kinds of rounders that make_rounder chooses from.
#pragma once

#include "quantize/rounder.h"

namespace nibble {

std::unique_ptr<Rounder> uniform_rounder(const Grid& grid, const Storable& storable,
                                         Symmetry symmetry, ScaleSearch search);
std::unique_ptr<Rounder> codebook_rounder(const Grid& grid, const Storable& storable,
                                          ScaleSearch search);

}  // namespace nibble
