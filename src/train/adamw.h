// AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101), in the order of PyTorch's: weights decay
// before the step.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "nibble/tensor.h"

namespace nibble {

// A tensor that is trained, in float32. `values` lie elsewhere; gradient and moments are its own.
struct Parameter {
  Parameter(std::string name, std::span<float> values, bool decays);

  std::string name;
  std::span<float> values;
  std::vector<float> gradient, mean, square;  // of values' size, 0 at first
  bool decays;
  double rate = 1;  // of the learning rate
};

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
};

// One step, the `step`-th, from 1. All threads; any number of them gives the same.
void adamw_step(std::span<Parameter> parameters, const AdamWOptions& options, double learning_rate,
                std::size_t step);

// The length of all gradients together; sums are in double and in one order.
double gradient_norm(std::span<const Parameter> parameters);
// Multiplies all of them.
void scale_gradients(std::span<Parameter> parameters, double factor);
void clear_gradients(std::span<Parameter> parameters);

}  // namespace nibble
