#include "nn/stored_linear.h"

#include "base/text.h"
#include "formats/format.h"
#include "formats/slot_order.h"
#include "nn/packed_linear.h"
#include "nn/panels/panel_ranges.h"
#include "nn/row_tiles.h"
#include "nn/slot_input.h"

namespace nibble {
namespace {

class StoredLinear final : public Linear {
 public:
  StoredLinear(std::unique_ptr<StoredCodes> codes, std::vector<float> bias)
      : codes_(std::move(codes)), order_(slot_order(codes_->shape())), bias_(std::move(bias)) {}

  std::size_t inputs() const override { return codes_->shape().columns; }
  std::size_t outputs() const override { return codes_->shape().rows; }
  std::size_t bytes() const override {
    return ranges_ != nullptr   ? ranges_->panels().bytes()
           : packed_ != nullptr ? packed_->bytes()
                                : codes_->bytes();
  }
  std::string kind() const override {
    const CodeShape& shape = codes_->shape();
    return cat(shape.grid->name, " groups of ", shape.columns / shape.groups());
  }
  const float* bias() const override { return bias_.empty() ? nullptr : bias_.data(); }
  // Slots in another order than the input's columns need it gathered first.
  const RowRanges* ranges(Compute compute) const override {
    return compute == Compute::kInt8 && order_.slots.empty() ? ranges_.get() : nullptr;
  }

  void decode(std::size_t first, Matrix out) const override { decode_rows(*codes_, first, out); }

  void prepare(Compute compute) override {
    if (compute == Compute::kInt8) {
      if (ranges_ == nullptr)
        if (auto panels = panels_of(*codes_, order_))
          ranges_ = std::make_unique<PanelRanges>(std::move(panels), bias());
      if (ranges_ != nullptr) return packed_.reset();
    }
    if (packed_ == nullptr) packed_ = packed_linear(pack(codes_of(*codes_)), bias_);
    ranges_.reset();
  }

  void forward(const LayerInput& x, Matrix y, Compute compute) const override {
    if (compute == Compute::kInt8 && ranges_ != nullptr) {
      if (order_.slots.empty()) return run_ranges(*ranges_, x, y);
      const Tensor gathered = in_slot_order(x.values(), order_.slots);
      return run_ranges(*ranges_, gathered.view(), y);
    }
    if (packed_ != nullptr) return packed_->forward(x, y, compute);
    multiply_row_tiles(
        x, outputs(), [this](std::size_t first, Matrix out) { decode(first, out); }, bias(), y,
        compute);
  }

 private:
  std::unique_ptr<StoredCodes> codes_;
  SlotOrder order_;
  std::vector<float> bias_;
  std::unique_ptr<PanelRanges> ranges_;
  std::unique_ptr<Linear> packed_;
};

}  // namespace

std::unique_ptr<Linear> stored_linear(std::unique_ptr<StoredCodes> codes, std::vector<float> bias) {
  return std::make_unique<StoredLinear>(std::move(codes), std::move(bias));
}

}  // namespace nibble
