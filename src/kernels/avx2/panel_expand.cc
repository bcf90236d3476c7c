// Panels as dense operands with AVX2.
#include "kernels/avx2/codes.h"
// the text:
#include "kernels/vector/panel_expand.h"
