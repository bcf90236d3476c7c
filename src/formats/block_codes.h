// Matrices of codes as rows of GGUF blocks, and back.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "formats/block_format.h"
#include "formats/codes.h"

namespace nibble {

// Scales and zeros as `encode` finds them; codes are left to be chosen. importance [columns], or
// empty. The blocks themselves go into Codes::stored_scales. Uses all threads.
void fit_blocks(const BlockFormat& format, ConstMatrix weight, std::span<const float> importance,
                Codes& codes);

// [rows · row_bytes]. Codes of joint formats come from fit_blocks.
std::vector<std::byte> blocks_of(const BlockFormat& format, const Codes& codes);

}  // namespace nibble
