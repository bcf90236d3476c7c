// Packed codes with NEON.
#include "kernels/neon/vectors.h"
// the text:
#include "kernels/vector/packed.h"
