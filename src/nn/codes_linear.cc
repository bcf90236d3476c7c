#include "nn/codes_linear.h"

#include "base/text.h"
#include "formats/format.h"
#include "nn/packed_linear.h"
#include "nn/row_tiles.h"

namespace nibble {
namespace {

class CodesLinear final : public Linear {
 public:
  CodesLinear(Codes codes, std::vector<float> bias)
      : codes_(std::move(codes)), bias_(std::move(bias)) {}

  std::size_t inputs() const override { return codes_.columns; }
  std::size_t outputs() const override { return codes_.rows; }
  std::size_t bytes() const override {
    return codes_.codes.size() + (codes_.scales.size() + codes_.zeros.size()) * sizeof(float);
  }
  std::string kind() const override {
    return cat(codes_.grid->name, " groups of ", codes_.group_size);
  }
  const float* bias() const override { return bias_.empty() ? nullptr : bias_.data(); }
  void decode(std::size_t first, Matrix out) const override { decode_rows(codes_, first, out); }
  void forward(const LayerInput& x, Matrix y, Compute compute) const override {
    multiply_row_tiles(
        x, outputs(), [this](std::size_t first, Matrix out) { decode(first, out); }, bias(), y,
        compute);
  }

 private:
  Codes codes_;
  std::vector<float> bias_;
};

}  // namespace

std::unique_ptr<Linear> codes_linear(const Codes& codes, std::vector<float> bias) {
  if (codes.grid->dimension == 1 && codes.grid->bits <= 8)
    return packed_linear(pack(codes), std::move(bias));
  return std::make_unique<CodesLinear>(codes, std::move(bias));
}

}  // namespace nibble
