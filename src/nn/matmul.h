// Dense products on the calling thread (oneDNN); callers split the work into fixed tiles with
// parallel_for, so the result does not depend on the number of threads.
#pragma once

#include <cstdint>

#include "nibble/tensor.h"

namespace nibble {

// y [m, n] = x [m, k] · wᵀ, w [n, k].
void matmul(ConstMatrix x, ConstMatrix w, Matrix y);
void matmul(MatrixView<const std::uint16_t> x, MatrixView<const std::uint16_t> w,
            Matrix y);  // bfloat16

// y [m, n] = x [m, k] · w, w [k, n].
void matmul_plain(ConstMatrix x, ConstMatrix w, Matrix y);
void matmul_plain(MatrixView<const std::uint16_t> x, MatrixView<const std::uint16_t> w,
                  Matrix y);  // bfloat16; only where the CPU multiplies it

// y [m, n] += x [m, k] · w, w [k, n]; bfloat16 on any CPU.
void add_matmul_plain(ConstMatrix x, ConstMatrix w, Matrix y);
void add_matmul_plain(MatrixView<const std::uint16_t> x, MatrixView<const std::uint16_t> w,
                      Matrix y);

// y [n, n] += xᵀ·x for x [m, n], float32 or bfloat16 inputs and float32 sums; only the lower
// triangle is written. Uses all threads over fixed tiles.
void add_gram(ConstMatrix x, Matrix y);
void add_gram(MatrixView<const std::uint16_t> x, Matrix y);

// y [m, n] += xᵀ·z for x [k, m], z [k, n], likewise.
void add_cross(ConstMatrix x, ConstMatrix z, Matrix y);
void add_cross(MatrixView<const std::uint16_t> x, MatrixView<const std::uint16_t> z, Matrix y);

}  // namespace nibble
