// What calibration says of each layer's inputs, kept in a file for any number of jobs: all products
// of two inputs, and beside them what an imatrix has. A GGUF file; for layer N and each stage,
// whose first matrix is m (GGUF's name, "blk.N.attn_q.weight"):
//
//   m.in_products  F32 [n·(n+1)/2]  Σ xᵢ·xⱼ / tokens for j ≤ i, row by row
//   m.in_peak      F32 [n]          max |x|
//   and for each matrix m
//   m.in_sum2      F32 [n]          Σ x²
//   m.counts       F32 [1]          tokens
//
// "nibble.passport" tells the model's files, the tokens and the sums over all tensors.
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "checkpoint/gguf_model.h"
#include "model/block.h"
#include "quantize/calibration/calibration.h"

namespace nibble {

// What is known of the inputs of each stage of a block.
struct StageInputs {
  std::array<Tensor, kStages.size()> products;  // Σ x·xᵀ / tokens, [columns, columns], or no rows
  std::array<std::vector<float>, kStages.size()> peaks;  // max |x|, [columns], or empty
  std::array<std::vector<float>, kRoles> squares;        // E[x²] by matrix, [columns], or empty
};

inline constexpr const char* kStatisticsSchema = "nibble.statistics/1";

class InputStatistics {
 public:
  // Throws what open_checkpoint throws, kInvalidArgument for a file without such products,
  // kCorruptFile for one that is not what was written.
  explicit InputStatistics(const std::filesystem::path& file);

  // Of the text they were taken from; without its tokens.
  const Calibration& calibration() const { return calibration_; }
  // Throws kInvalidArgument unless they are of the model with these files (hash_files).
  void require_model(const Json& files) const;
  // Throws kCorruptFile where they are missing, of another size or not finite.
  Tensor products(std::size_t layer, Stage stage, std::size_t columns) const;
  std::vector<float> peaks(std::size_t layer, Stage stage, std::size_t columns) const;

 private:
  const TensorInfo& floats(const std::string& name, std::size_t count, std::size_t columns) const;

  std::filesystem::path path_;
  std::unique_ptr<CheckpointReader> reader_;
  Json passport_;
  Calibration calibration_;
};

// The names of a stage's products and peaks.
std::string products_name(std::size_t layer, Stage stage);
std::string peaks_name(std::size_t layer, Stage stage);
// The matrix of a layer as GGUF names it.
std::string matrix_name(std::size_t layer, Role role);
// The lower triangle of a symmetric matrix.
std::vector<float> lower_triangle(ConstMatrix products);

}  // namespace nibble
