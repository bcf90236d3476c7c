// The calibration windows on their way through the original model, a layer at a time.
#pragma once

#include "model/source.h"
#include "quantize/calibration/calibration.h"
#include "quantize/calibration/samples.h"

namespace nibble {

class OriginalWalk {
 public:
  // `source` outlives this. Activations stay in memory: tokens · hidden floats.
  OriginalWalk(const ModelSource& source, const Calibration& calibration, Compute compute);

  // Runs all windows through the layer, whose number follows that of the last call. `use` gets each
  // stage's inputs, a few windows at a time.
  void pass(const Block& block, const UseInput& use);

  // What enters the next layer: kept by a journal, and brought back from it.
  Samples& samples() { return samples_; }

 private:
  Samples samples_;
  Compute compute_;
};

// Σ x² of each column, in double: a sum of squares over a million tokens outgrows float32.
class Squares {
 public:
  void add(ConstMatrix inputs);
  std::vector<float> floats() const { return {sums_.begin(), sums_.end()}; }

 private:
  std::vector<double> sums_;
};

// max |x| of each column.
class Peaks {
 public:
  void add(ConstMatrix inputs);
  const std::vector<float>& values() const { return values_; }

 private:
  std::vector<float> values_;
};

}  // namespace nibble
