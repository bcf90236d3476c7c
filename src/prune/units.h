// The method behind --heads and --channels: whole runs of a matrix's columns go, with the rows of
// the layers before that they came from.
#pragma once

#include "prune/structure.h"
#include "quantize/method.h"

namespace nibble::pruning {

// The least important units go, by the mean square of what each adds to the output,
// tr(W_u·H_uu·W_uᵀ): for a head the norm of its output through o_proj, for a channel its mean
// square times that of its column in down_proj. Unlike the activation alone that counts what the
// rest of the model gets to see of it.
// Then the columns that stay make up for those that go, by least squares over the calibration
// text: W_k + W_r·H_rk·(H_kk + λI)⁻¹. The dense outcome has zeros in the columns that go; which
// stay is in kept_columns.
extern const Method units;

// What it reads of a choice.
void set_units(const UnitChoice& choice, bool repair, Options& options);

}  // namespace nibble::pruning
