// Which arithmetic products are computed in.
#pragma once

namespace nibble {

// kFloat32 and kBfloat16 take the weights as they are: inputs of large products are float32, or
// rounded to bfloat16 with float32 sums. kInt8 takes the fastest way at the accuracy of bytes: the
// inputs of packed layers are rounded to bytes, or, in large products of a CPU with tile registers,
// to bfloat16; layers that are not packed compute in the faster float arithmetic of the CPU.
// kLlmInt8 is LLM.int8 (arXiv 2208.07339) for layers whose weights are bytes with one scale for
// each row: rows of inputs are rounded to bytes as a whole, but for columns in which one input is
// large, which are multiplied as they are. All other layers compute in float arithmetic.
enum class Compute { kFloat32, kBfloat16, kInt8, kLlmInt8 };

}  // namespace nibble
