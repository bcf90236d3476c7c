// The table.
#pragma once

#include "kernels/vector/exponentials.h"
#include "kernels/vector/floats.h"

namespace nibble::NIBBLE_ISA {

extern const Kernels table;
const Kernels table{
    .name = NIBBLE_ISA_NAME,
    .dot = dot,
    .add_scaled = add_scaled,
    .square_sum = square_sum,
    .bfloat16_to_float = widen<Bfloat>,
    .half_to_float = widen<Half>,
    .float_to_bfloat16 = narrow<Bfloat>,
    .float_to_half = narrow<Half>,
    .bytes_to_float = bytes_to_float,
    .softmax = softmax,
    .exp_sum = exp_sum,
    .silu_multiply = gate_multiply<silu_exponent>,
    .gelu_tanh_multiply = gate_multiply<gelu_exponent>,
    .silu_gradient = gate_gradient<silu_exponent, silu_slope>,
    .gelu_tanh_gradient = gate_gradient<gelu_exponent, gelu_slope>,
    .gemv_float = float_gemv<Float>,
    .gemv_bfloat16 = float_gemv<Bfloat>,
    .gemv_half = float_gemv<Half>,
    .mix_float = mix<Float>,
    .mix_bfloat16 = mix<Bfloat>,
    .mix_half = mix<Half>,
    .gemv_int2 = gemv_int2,
    .gemv_int3 = gemv_int3,
    .gemv_int4 = gemv_int4,
    .gemv_int8 = gemv_int8,
    .gemv_table4 = gemv_table4,
    .gemv_float8 = gemv_float8,
    .decode_int2 = decode_int2,
    .decode_int3 = decode_int3,
    .decode_int4 = decode_int4,
    .decode_int8 = decode_int8,
    .decode_table4 = decode_table4,
    .decode_float8 = decode_float8,
    .panels = panel_kernels,
    .gemm_columns = kGemmColumns,
    .int8_gemm = int8_gemm,
    .round_to_bytes = round_to_bytes,
    .spin_int8 = spin_int8,
    .rounding_error = rounding_error,
};

}  // namespace nibble::NIBBLE_ISA
