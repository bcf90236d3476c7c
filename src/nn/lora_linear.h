// A layer with a low-rank addition (LoRA, Hu et al. 2021, arXiv 2106.09685):
//   y = x·Wᵀ + b + scale·(x·Aᵀ)·Bᵀ
// and, with a magnitude m (DoRA, Liu et al. 2024, arXiv 2402.09353), each row of W + scale·B·A
// brought to the length m says, the bias as it was.
#pragma once

#include <memory>
#include <vector>

#include "nn/linear.h"

namespace nibble {

struct LowRank {
  Tensor a;  // [rank, inputs]
  Tensor b;  // [outputs, rank]
  float scale = 1;
  std::vector<float> magnitude;  // [outputs], or empty: rows keep their lengths

  std::size_t rank() const { return a.rows(); }
};

class LoraLinear final : public Linear {
 public:
  // The shapes of `added` fit; its values may change while this lives.
  LoraLinear(std::unique_ptr<Linear> base, std::shared_ptr<const LowRank> added);

  std::size_t inputs() const override { return base_->inputs(); }
  std::size_t outputs() const override { return base_->outputs(); }
  std::size_t bytes() const override;
  std::string kind() const override;
  void prepare(Compute compute) override { base_->prepare(compute); }
  void forward(const LayerInput& x, Matrix y, Compute compute) const override;
  void decode(std::size_t first, Matrix out) const override;
  void add_input_gradient(ConstMatrix dy, Matrix dx, Compute compute) const override;
  const float* bias() const override { return base_->bias(); }

  const Linear& base() const { return *base_; }
  const LowRank& added() const { return *added_; }
  // Measures the rows anew; to be called when `added` with a magnitude has changed.
  void refresh();
  // By which each row of W + scale·B·A is multiplied, [outputs]; empty without a magnitude.
  const std::vector<float>& row_factors() const { return factors_; }
  // dy with each column multiplied by its row's factor.
  Tensor scaled(ConstMatrix dy) const;

 private:
  void decode_sum(std::size_t first, Matrix out) const;  // of W + scale·B·A

  std::unique_ptr<Linear> base_;
  std::shared_ptr<const LowRank> added_;
  std::vector<float> factors_;
};

}  // namespace nibble
