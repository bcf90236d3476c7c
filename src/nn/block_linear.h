// Weights as a GGUF file stores them: rows of blocks of a registered BlockFormat.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "formats/block_format.h"
#include "nn/linear.h"

namespace nibble {

// `rows`: outputs · format.row_bytes(inputs) bytes, which must outlive the layer. Output r reads
// stored row row_of[r]; empty: row r. `inputs` is a multiple of format.block.
std::unique_ptr<Linear> block_linear(const BlockFormat& format, std::span<const std::byte> rows,
                                     std::size_t outputs, std::size_t inputs,
                                     std::vector<std::uint32_t> row_of = {},
                                     std::vector<float> bias = {});

}  // namespace nibble
