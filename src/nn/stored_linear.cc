#include "nn/stored_linear.h"

#include "base/text.h"
#include "formats/format.h"
#include "formats/slot_order.h"
#include "nn/packed_linear.h"
#include "nn/panels/panel_ranges.h"
#include "nn/panels/scaled_ranges.h"
#include "nn/row_tiles.h"
#include "nn/slot_input.h"

namespace nibble {
namespace {

class StoredLinear final : public Linear {
 public:
  StoredLinear(std::unique_ptr<StoredCodes> codes, std::vector<float> bias, float threshold)
      : codes_(std::move(codes)),
        order_(slot_order(codes_->shape())),
        bias_(std::move(bias)),
        threshold_(threshold) {}

  std::size_t inputs() const override { return codes_->shape().columns; }
  std::size_t outputs() const override { return codes_->shape().rows; }
  std::size_t bytes() const override {
    return ranges_ != nullptr   ? ranges_bytes_
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
    return gathers_ ? nullptr : prepared(compute);
  }

  void decode(std::size_t first, Matrix out) const override { decode_rows(*codes_, first, out); }

  void prepare(Compute compute) override {
    if (prepared(compute) == nullptr) {
      ranges_.reset();
      gathers_ = false;
      if (compute == Compute::kInt8) make_panels();
      if (compute == Compute::kInt8 && ranges_ == nullptr) make_scaled({});
      if (compute == Compute::kLlmInt8) make_scaled(threshold_);
      ready_for_ = compute;
    }
    if (ranges_ != nullptr)
      packed_.reset();
    else if (packed_ == nullptr)
      packed_ = packed_linear(pack(codes_of(*codes_)), bias_);
  }

  void forward(const LayerInput& x, Matrix y, Compute compute) const override {
    if (const RowRanges* ranges = prepared(compute)) {
      if (!gathers_) return run_ranges(*ranges, x, y);
      const Tensor gathered = in_slot_order(x.values(), order_.slots);
      return run_ranges(*ranges, gathered.view(), y);
    }
    if (packed_ != nullptr) return packed_->forward(x, y, compute);
    multiply_row_tiles(
        x, outputs(), [this](std::size_t first, Matrix out) { decode(first, out); }, bias(), y,
        compute);
  }

 private:
  const RowRanges* prepared(Compute compute) const {
    return compute == ready_for_ ? ranges_.get() : nullptr;
  }
  void make_panels() {
    auto panels = panels_of(*codes_, order_);
    if (panels == nullptr) return;
    ranges_bytes_ = panels->bytes();
    gathers_ = !order_.slots.empty();
    ranges_ = std::make_unique<PanelRanges>(std::move(panels), bias());
  }
  void make_scaled(std::optional<float> threshold) {
    auto scaled = scaled_ranges(*codes_, bias(), threshold);
    if (scaled == nullptr) return;
    ranges_bytes_ = scaled->bytes();
    ranges_ = std::move(scaled);
  }

  std::unique_ptr<StoredCodes> codes_;
  SlotOrder order_;
  std::vector<float> bias_;
  float threshold_;
  // One of two: integer products in the arithmetic that it was prepared for, or a packed matrix.
  Compute ready_for_ = Compute::kFloat32;
  std::unique_ptr<RowRanges> ranges_;
  std::size_t ranges_bytes_ = 0;
  bool gathers_ = false;  // ranges_ reads slots
  std::unique_ptr<Linear> packed_;
};

}  // namespace

std::unique_ptr<Linear> stored_linear(std::unique_ptr<StoredCodes> codes, std::vector<float> bias,
                                      float outlier_threshold) {
  return std::make_unique<StoredLinear>(std::move(codes), std::move(bias), outlier_threshold);
}

}  // namespace nibble
