// Panels as dense operands with NEON.
#include "kernels/neon/codes.h"
// the text:
#include "kernels/vector/panel_expand.h"
