#include "nn/block_linear.h"

#include "nn/panels/panels.h"
#include "nn/tiled_product.h"

namespace nibble {
namespace {

class BlockLinear final : public Linear {
 public:
  BlockLinear(const BlockFormat& format, std::span<const std::byte> rows, std::size_t outputs,
              std::size_t inputs, std::vector<std::uint32_t> row_of, std::vector<float> bias)
      : format_(format),
        rows_(reinterpret_cast<const std::uint8_t*>(rows.data())),
        outputs_(outputs),
        inputs_(inputs),
        row_of_(std::move(row_of)),
        bias_(std::move(bias)) {}

  std::size_t inputs() const override { return inputs_; }
  std::size_t outputs() const override { return outputs_; }
  std::size_t bytes() const override { return outputs_ * format_.row_bytes(inputs_); }
  std::string kind() const override { return std::string(format_.name); }
  const float* bias() const override { return bias_.empty() ? nullptr : bias_.data(); }
  const Panels* panels() const override { return panels_.get(); }

  void decode(std::size_t first, Matrix out) const override {
    for (std::size_t r = 0; r < out.rows; ++r) {
      const std::size_t stored = row_of_.empty() ? first + r : row_of_[first + r];
      format_.decode(rows_ + stored * format_.row_bytes(inputs_), inputs_ / format_.block,
                     out.row(r));
    }
  }

  void prepare(Compute compute) override {
    if (compute == Compute::kInt8 && panels_ == nullptr)
      panels_ = panels_of(format_, rows_, outputs_, inputs_, row_of_);
  }

  void forward(const LayerInput& x, Matrix y, Compute compute) const override {
    if (compute == Compute::kInt8 && panels_ != nullptr) {
      panels_->multiply(x, y);
      add_bias(bias(), y);
      return;
    }
    tiled_product(
        x, outputs_, [this](std::size_t first, Matrix out) { decode(first, out); }, bias(), y,
        compute);
  }

 private:
  const BlockFormat& format_;
  const std::uint8_t* rows_;
  std::size_t outputs_, inputs_;
  std::vector<std::uint32_t> row_of_;
  std::vector<float> bias_;
  std::unique_ptr<Panels> panels_;
};

}  // namespace

std::unique_ptr<Linear> block_linear(const BlockFormat& format, std::span<const std::byte> rows,
                                     std::size_t outputs, std::size_t inputs,
                                     std::vector<std::uint32_t> row_of, std::vector<float> bias) {
  return std::make_unique<BlockLinear>(format, rows, outputs, inputs, std::move(row_of),
                                       std::move(bias));
}

}  // namespace nibble
