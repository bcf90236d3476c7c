// What a layer lost.
#pragma once

#include "quantize/method.h"

namespace nibble {

// Fills weight_error, output_error.
void measure(const Task& task, Outcome& outcome);

}  // namespace nibble
