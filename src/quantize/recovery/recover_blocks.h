// Weights that lie on the grid of a GGUF type, as its blocks.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "formats/block_format.h"
#include "quantize/recovery/dense_matrix.h"

namespace nibble {

// Is there a search for its scales? Not for blocks of groups that share scales among them.
bool recoverable(const BlockFormat& format);

// `blocks` [rows · row_bytes] that decode to the weights once rounded to their type, equal but for
// the sign of zeros; or the first block for which there are none, and nothing else is said of
// `blocks`. The columns are a multiple of the format's block. Uses all threads.
std::optional<Misfit> recover_blocks(const BlockFormat& format, const DenseMatrix& matrix,
                                     std::vector<std::byte>& blocks);

}  // namespace nibble
