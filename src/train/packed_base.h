// A frozen model packed in memory before its adapters are trained (QLoRA, Dettmers et al. 2023,
// arXiv 2305.14314).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "nibble/compute.h"
#include "train/training_model.h"

namespace nibble {

// "nf4", "fp4" (groups of 64, their scales quantized once more), "int8", "int4" (groups of 64 with
// a zero of their own, the scales float16).
std::vector<std::string> packed_bases();
// What a weight takes in memory, its share of the scales included. Throws as pack_base() does.
double packed_bits(std::string_view grid, Compute compute);

// Every linear layer of the blocks, rounded to nearest and ready for `compute`. Throws
// kInvalidArgument for another grid, and where a layer is packed already.
void pack_base(TrainingModel& model, const ModelSource& source, std::string_view grid,
               Compute compute, const ProgressSink& progress);

}  // namespace nibble
