// The entries of the tile kernels.
#include "kernels/amx/panels.h"
#include "kernels/kernels.h"

namespace nibble::NIBBLE_ISA {

extern const TileKernels tiles;
const TileKernels tiles{
    .pack_rows = pack_rows,
    .panel_of_float = panel_of_float,
    .panel_of_half = panel_of_half,
    .panel_of_bfloat16 = panel_of_bfloat16,
    .expand = expand_panel,
    .gemm = bfloat16_gemm,
    .products = panel_products,
    .few_rows = 16,
    .spin = spin_bfloat16,
};

}  // namespace nibble::NIBBLE_ISA
