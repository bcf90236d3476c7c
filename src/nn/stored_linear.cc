#include "nn/stored_linear.h"

#include "base/text.h"
#include "formats/format.h"
#include "formats/slot_order.h"
#include "nn/packed_linear.h"
#include "nn/panels/panels.h"
#include "nn/slot_input.h"
#include "nn/tiled_product.h"

namespace nibble {
namespace {

class StoredLinear final : public Linear {
 public:
  StoredLinear(std::unique_ptr<StoredCodes> codes, std::vector<float> bias)
      : codes_(std::move(codes)), order_(slot_order(codes_->shape())), bias_(std::move(bias)) {}

  std::size_t inputs() const override { return codes_->shape().columns; }
  std::size_t outputs() const override { return codes_->shape().rows; }
  std::size_t bytes() const override {
    return panels_ != nullptr   ? panels_->bytes()
           : packed_ != nullptr ? packed_->bytes()
                                : codes_->bytes();
  }
  std::string kind() const override {
    const CodeShape& shape = codes_->shape();
    return cat(shape.grid->name, " groups of ", shape.columns / shape.groups());
  }
  const float* bias() const override { return bias_.empty() ? nullptr : bias_.data(); }
  // Slots in another order than the input's columns need it gathered first.
  const Panels* panels() const override { return order_.slots.empty() ? panels_.get() : nullptr; }

  void decode(std::size_t first, Matrix out) const override { decode_rows(*codes_, first, out); }

  void prepare(Compute compute) override {
    if (compute == Compute::kInt8) {
      if (panels_ == nullptr) panels_ = panels_of(*codes_, order_);
      if (panels_ != nullptr) return packed_.reset();
    }
    if (packed_ == nullptr) packed_ = packed_linear(pack(codes_of(*codes_)), bias_);
    panels_.reset();
  }

  void forward(const LayerInput& x, Matrix y, Compute compute) const override {
    if (compute == Compute::kInt8 && panels_ != nullptr) {
      if (order_.slots.empty()) {
        panels_->multiply(x, y);
      } else {
        const Tensor gathered = in_slot_order(x.values(), order_.slots);
        panels_->multiply(gathered.view(), y);
      }
      return add_bias(bias(), y);
    }
    if (packed_ != nullptr) return packed_->forward(x, y, compute);
    tiled_product(
        x, outputs(), [this](std::size_t first, Matrix out) { decode(first, out); }, bias(), y,
        compute);
  }

 private:
  std::unique_ptr<StoredCodes> codes_;
  SlotOrder order_;
  std::vector<float> bias_;
  std::unique_ptr<Panels> panels_;
  std::unique_ptr<Linear> packed_;
};

}  // namespace

std::unique_ptr<Linear> stored_linear(std::unique_ptr<StoredCodes> codes, std::vector<float> bias) {
  return std::make_unique<StoredLinear>(std::move(codes), std::move(bias));
}

}  // namespace nibble
