// How far the weights of two models lie apart, part by part, whatever form each has them in.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "base/progress.h"

namespace nibble {

struct PartDifference {
  std::string name;         // "model.layers.0.mlp.up_proj", as the first model calls it
  std::string kind, other;  // how each model has it: "bf16", "int4 groups of 128"
  std::size_t weights = 0;
  std::size_t unequal = 0;  // of them
  double relative = 0;  // ‖A − B‖² / ‖A‖²; of a part that is 0 in A: 1 where B's is not
  double largest = 0;   // max |A − B|
  // "BF16": the type that one model has its weights in, to which the other's all round; of equal
  // parts empty.
  std::string equal_as;

  bool equal() const { return unequal == 0; }
};

// Embedding, layers in order, norm, head; biases are parts of their own, a tied head is none.
// Throws kInvalidArgument naming the first part of another shape, and what opening the models
// throws.
std::vector<PartDifference> weight_differences(const std::filesystem::path& a,
                                               const std::filesystem::path& b,
                                               const ProgressSink& progress);

}  // namespace nibble
