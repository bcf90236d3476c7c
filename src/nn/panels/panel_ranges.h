// Ranges of panels, and the columns of y that they give.
#pragma once

#include <functional>

#include "nibble/tensor.h"

namespace nibble {

// y [rows, 16 · (end − begin)]: what panels [begin, end) give.
using RunPanels = std::function<void(std::size_t begin, std::size_t end, Matrix y)>;

// Columns of y that whole panels [begin, end) give.
Matrix panel_columns(Matrix y, std::size_t begin, std::size_t end);

// All panels of y's columns, `grain` at once, on all threads. Panels are written whole: a last one
// that is wider than y goes through a buffer.
void for_panel_ranges(Matrix y, std::size_t grain, const RunPanels& run);

}  // namespace nibble
