// What a layer lost.
#pragma once

#include "quantize/method.h"

namespace nibble {

// tr(D·H·Dᵀ): what the rows of D [rows, columns] weigh under H [columns, columns]. On the calling
// thread.
double weighted_square(ConstMatrix rows, ConstMatrix hessian);

// Fills weight_error, output_error.
void measure(const Task& task, Outcome& outcome);

}  // namespace nibble
