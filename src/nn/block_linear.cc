#include "nn/block_linear.h"

#include "nn/panels/panel_ranges.h"
#include "nn/row_tiles.h"

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
  const RowRanges* ranges(Compute compute) const override {
    return compute == Compute::kInt8 ? ranges_.get() : nullptr;
  }

  void decode(std::size_t first, Matrix out) const override {
    for (std::size_t r = 0; r < out.rows; ++r) {
      const std::size_t stored = row_of_.empty() ? first + r : row_of_[first + r];
      format_.decode(rows_ + stored * format_.row_bytes(inputs_), inputs_ / format_.block,
                     out.row(r));
    }
  }

  void prepare(Compute compute) override {
    if (compute != Compute::kInt8 || ranges_ != nullptr) return;
    if (auto panels = panels_of(format_, rows_, outputs_, inputs_, row_of_))
      ranges_ = std::make_unique<PanelRanges>(std::move(panels), bias());
  }

  void forward(const LayerInput& x, Matrix y, Compute compute) const override {
    if (compute == Compute::kInt8 && ranges_ != nullptr) return run_ranges(*ranges_, x, y);
    multiply_row_tiles(
        x, outputs_, [this](std::size_t first, Matrix out) { decode(first, out); }, bias(), y,
        compute);
  }

 private:
  const BlockFormat& format_;
  const std::uint8_t* rows_;
  std::size_t outputs_, inputs_;
  std::vector<std::uint32_t> row_of_;
  std::vector<float> bias_;
  std::unique_ptr<PanelRanges> ranges_;
};

}  // namespace

std::unique_ptr<Linear> block_linear(const BlockFormat& format, std::span<const std::byte> rows,
                                     std::size_t outputs, std::size_t inputs,
                                     std::vector<std::uint32_t> row_of, std::vector<float> bias) {
  return std::make_unique<BlockLinear>(format, rows, outputs, inputs, std::move(row_of),
                                       std::move(bias));
}

}  // namespace nibble
