#include "nn/dense_linear.h"

#include <cstring>
#include <memory>

#include "base/parallel.h"
#include "base/text.h"
#include "kernels/kernels.h"
#include "nibble/error.h"
#include "nn/matmul.h"
#include "nn/panels/bfloat16_panels.h"
#include "nn/row_tiles.h"

namespace nibble {
namespace {

// Bytes in memory aligned for the element type: those given, or a copy.
struct Aligned {
  std::vector<std::byte> copy;
  const void* first = nullptr;

  Aligned(std::span<const std::byte> bytes, std::size_t element) {
    first = bytes.data();
    if (reinterpret_cast<std::uintptr_t>(first) % element == 0) return;
    copy.assign(bytes.begin(), bytes.end());
    first = copy.data();
  }
  explicit Aligned(std::vector<std::byte> owned) : copy(std::move(owned)), first(copy.data()) {}
};

class DenseLinear final : public Linear {
 public:
  DenseLinear(std::span<const std::byte> bytes, DType dtype, std::size_t outputs,
              std::size_t inputs, std::vector<float> bias)
      : weights_(bytes, static_cast<std::size_t>(bits(dtype)) / 8),
        dtype_(dtype),
        outputs_(outputs),
        inputs_(inputs),
        bias_(std::move(bias)) {}
  DenseLinear(std::vector<std::byte> owned, DType dtype, std::size_t outputs, std::size_t inputs,
              std::vector<float> bias)
      : weights_(std::move(owned)),
        dtype_(dtype),
        outputs_(outputs),
        inputs_(inputs),
        bias_(std::move(bias)) {}
  DenseLinear(Tensor weights, std::vector<float> bias)
      : owned_(std::move(weights)),
        weights_(std::as_bytes(std::span(owned_.data(), owned_.size())), sizeof(float)),
        dtype_(DType::kF32),
        outputs_(owned_.rows()),
        inputs_(owned_.columns()),
        bias_(std::move(bias)) {}

  std::size_t inputs() const override { return inputs_; }
  std::size_t outputs() const override { return outputs_; }
  std::size_t bytes() const override {
    return outputs_ * inputs_ * static_cast<std::size_t>(bits(dtype_)) / 8;
  }
  std::string kind() const override {
    return dtype_ == DType::kBF16 ? "bf16" : dtype_ == DType::kF16 ? "f16" : "f32";
  }
  const float* bias() const override { return bias_.empty() ? nullptr : bias_.data(); }

  void decode(std::size_t first, Matrix out) const override {
    for (std::size_t r = 0; r < out.rows; ++r) {
      const std::size_t at = (first + r) * inputs_;
      if (dtype_ == DType::kBF16)
        kernels().bfloat16_to_float(small() + at, out.row(r), inputs_);
      else if (dtype_ == DType::kF16)
        kernels().half_to_float(small() + at, out.row(r), inputs_);
      else
        std::memcpy(out.row(r), wide() + at, inputs_ * sizeof(float));
    }
  }

  void forward(const LayerInput& x, Matrix y, Compute compute) const override {
    if (x.values().rows <= kFewTokens) return multiply_few(x.values(), y);
    compute = float_compute(compute);
    if (compute == Compute::kBfloat16 && has_bfloat16_panels()) return multiply_tiles(x, y);
    if (compute == Compute::kBfloat16 && dtype_ == DType::kBF16) return multiply_bfloat16(x, y);
    multiply_row_tiles(
        x, outputs_, [this](std::size_t first, Matrix out) { decode(first, out); }, bias(), y,
        compute);
  }

 private:
  const std::uint16_t* small() const { return static_cast<const std::uint16_t*>(weights_.first); }
  const float* wide() const { return static_cast<const float*>(weights_.first); }

  void multiply_few(ConstMatrix x, Matrix y) const {
    parallel_ranges(outputs_, kGemvRows, [&](std::size_t begin, std::size_t end) {
      for (std::size_t t = 0; t < x.rows; ++t) {
        float* out = y.row(t) + begin;
        const std::size_t at = begin * inputs_;
        if (dtype_ == DType::kBF16)
          kernels().gemv_bfloat16(small() + at, inputs_, x.row(t), end - begin, inputs_, out);
        else if (dtype_ == DType::kF16)
          kernels().gemv_half(small() + at, inputs_, x.row(t), end - begin, inputs_, out);
        else
          kernels().gemv_float(wide() + at, inputs_, x.row(t), end - begin, inputs_, out);
      }
    });
    add_bias(bias(), y);
  }

  void multiply_tiles(const LayerInput& x, Matrix y) const {
    const TileKernels& table = *kernels().tiles;
    const auto fill = [&](std::size_t panel, std::uint16_t* out) {
      const std::size_t first = panel * kPanelRows, at = first * inputs_;
      const std::size_t rows = std::min(kPanelRows, outputs_ - first);
      if (dtype_ == DType::kBF16)
        table.panel_of_bfloat16(small() + at, inputs_, rows, inputs_, out);
      else if (dtype_ == DType::kF16)
        table.panel_of_half(small() + at, inputs_, rows, inputs_, out);
      else
        table.panel_of_float(wide() + at, inputs_, rows, inputs_, out);
    };
    multiply_bfloat16_panels(x, outputs_, fill, y);
    add_bias(bias(), y);
  }

  void multiply_bfloat16(const LayerInput& input, Matrix y) const {
    const ConstMatrix x = input.values();
    const auto& rounded = input.bfloat16();
    parallel_ranges(outputs_, 2 * kRowTile, [&](std::size_t begin, std::size_t end) {
      matmul(MatrixView<const std::uint16_t>(rounded.data(), x.rows, x.columns),
             MatrixView<const std::uint16_t>(small() + begin * inputs_, end - begin, inputs_),
             y.columns_at(begin, end - begin));
    });
    add_bias(bias(), y);
  }

  Tensor owned_;
  Aligned weights_;
  DType dtype_;
  std::size_t outputs_, inputs_;
  std::vector<float> bias_;
};

void refuse_type(DType dtype) {
  if (dtype != DType::kF32 && dtype != DType::kF16 && dtype != DType::kBF16)
    throw Error(ErrorKind::kUnsupported,
                cat("weights of type ", name(dtype), "; supported: F32, F16, BF16"));
}

}  // namespace

std::unique_ptr<Linear> dense_linear(std::span<const std::byte> weights, DType dtype,
                                     std::size_t outputs, std::size_t inputs,
                                     std::vector<float> bias) {
  refuse_type(dtype);
  return std::make_unique<DenseLinear>(weights, dtype, outputs, inputs, std::move(bias));
}

std::unique_ptr<Linear> dense_linear_of_rows(std::span<const std::byte> weights, DType dtype,
                                             std::size_t inputs,
                                             std::span<const std::uint32_t> row_of,
                                             std::vector<float> bias) {
  refuse_type(dtype);
  const std::size_t row_bytes = inputs * static_cast<std::size_t>(bits(dtype)) / 8;
  std::vector<std::byte> rows(row_of.size() * row_bytes);
  for (std::size_t r = 0; r < row_of.size(); ++r)
    std::memcpy(rows.data() + r * row_bytes, weights.data() + row_of[r] * row_bytes, row_bytes);
  return std::make_unique<DenseLinear>(std::move(rows), dtype, row_of.size(), inputs,
                                       std::move(bias));
}

std::unique_ptr<Linear> dense_linear(Tensor weights, std::vector<float> bias) {
  return std::make_unique<DenseLinear>(std::move(weights), std::move(bias));
}

}  // namespace nibble
