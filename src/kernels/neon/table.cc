// Float kernels and the table with NEON.
#include "kernels/neon/vectors.h"
// the text:
#include "kernels/vector/table.h"
