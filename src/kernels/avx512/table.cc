// Float kernels and the table with AVX-512.
#include "kernels/avx512/vectors.h"
// the text:
#include "kernels/vector/table.h"
