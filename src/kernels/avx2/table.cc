// Float kernels and the table with AVX2.
#include "kernels/avx2/vectors.h"
// the text:
#include "kernels/vector/table.h"
