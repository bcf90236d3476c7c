// Panels as dense operands with AVX-512.
#include "kernels/avx512/codes.h"
// the text:
#include "kernels/vector/panel_expand.h"
