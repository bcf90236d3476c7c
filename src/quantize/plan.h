// What a job will need, told before it starts: time, memory, output size.
#pragma once

#include <cstdint>
#include <vector>

#include "quantize/calibration/calibration.h"
#include "quantize/recipe.h"

namespace nibble {

struct Plan {
  std::size_t layers = 0, modules = 0;
  std::uint64_t input_bytes = 0, output_bytes = 0;
  double bits_per_weight = 0;     // over the quantized modules, scales and zeros included
  std::uint64_t peak_memory = 0;  // beyond the mapped checkpoint
  std::uint64_t memory_limit = 0;
  bool spill = false;             // activations go to a temporary file
  double operations = 0;          // floating point, all blocks
  double seconds = 0;             // expected, from a short measurement of this machine
  std::vector<Finding> warnings;  // what can be done, and is likely to disappoint
};

// `output` as it will be written. Throws kResource when the job cannot fit, naming the figure and
// the options that lower it.
Plan make_plan(const ModelSource& source, const Recipe& recipe, const QuantizeOptions& options,
               const std::vector<TensorInfo>& output, std::size_t samples, std::size_t length);

}  // namespace nibble
