#include "nn/packed_linear.h"

#include "base/parallel.h"
#include "base/text.h"
#include "kernels/kernels.h"
#include "nn/row_tiles.h"
#include "nn/slot_input.h"

namespace nibble {
namespace {

using Gemv = void (*)(const PackedRows*, const float*, const float*, std::size_t, float*);
using Decode = void (*)(const PackedRows*, std::size_t, float*, std::size_t);

// Null for what is decoded by its definition.
struct WidthKernels {
  Gemv gemv = nullptr;
  Decode decode = nullptr;
};

WidthKernels kernels_of(const Grid& grid) {
  const Kernels& table = kernels();
  if (grid.name == "fp8") return {table.gemv_float8, table.decode_float8};
  if (!grid.uniform() && grid.bits == 4) return {table.gemv_table4, table.decode_table4};
  if (!grid.uniform()) return {};
  switch (formats::running(grid).bits) {
    case 2:
      return {table.gemv_int2, table.decode_int2};
    case 3:
      return {table.gemv_int3, table.decode_int3};
    case 4:
      return {table.gemv_int4, table.decode_int4};
    case 8:
      return {table.gemv_int8, table.decode_int8};
    default:
      return {};
  }
}

class PackedLinear final : public Linear {
 public:
  PackedLinear(PackedMatrix weights, std::vector<float> bias)
      : weights_(std::move(weights)),
        bias_(std::move(bias)),
        kernels_(kernels_of(*weights_.grid)) {}

  std::size_t inputs() const override { return weights_.columns; }
  std::size_t outputs() const override { return weights_.rows; }
  std::size_t bytes() const override { return weights_.bytes(); }
  std::string kind() const override {
    return cat(weights_.grid->name, " groups of ", weights_.columns / weights_.groups);
  }
  const float* bias() const override { return bias_.empty() ? nullptr : bias_.data(); }

  void decode(std::size_t first, Matrix out) const override {
    if (kernels_.decode == nullptr) return decode_rows(weights_, first, out);
    if (weights_.slots.empty()) return decode_slots(first, out);
    Tensor in_slots(out.rows, weights_.slot_count());
    decode_slots(first, in_slots.view());
    for (std::size_t r = 0; r < out.rows; ++r)
      for (std::size_t slot = 0; slot < weights_.slots.size(); ++slot)
        if (weights_.slots[slot] >= 0)
          out(r, static_cast<std::size_t>(weights_.slots[slot])) = in_slots.view()(r, slot);
  }

  void forward(const LayerInput& x, Matrix y, Compute compute) const override {
    if (kernels_.gemv == nullptr)
      return multiply_row_tiles(
          x, outputs(), [this](std::size_t first, Matrix out) { decode(first, out); }, bias(), y,
          compute);
    if (weights_.slots.empty()) return forward_slots(x, y, compute);
    const Tensor gathered = in_slot_order(x.values(), weights_.slots);
    forward_slots(gathered.view(), y, compute);
  }

 private:
  void forward_slots(const LayerInput& x, Matrix y, Compute compute) const {
    if (x.values().rows <= kFewTokens) return multiply_few(x.values(), y);
    multiply_row_tiles(
        x, outputs(), [this](std::size_t first, Matrix out) { decode_slots(first, out); }, bias(),
        y, compute);
  }

  PackedRows rows_from(std::size_t first) const {
    return {weights_.blocks.data() + first * weights_.row_bytes(),
            weights_.scales.data() + first * weights_.groups,
            weights_.zeros.data() + first * weights_.groups,
            weights_.groups,
            weights_.blocks_per_group,
            weights_.grid->codebook.data()};
  }

  void decode_slots(std::size_t first, Matrix out) const {
    const PackedRows rows = rows_from(first);
    kernels_.decode(&rows, out.rows, out.values, out.stride);
  }

  void multiply_few(ConstMatrix x, Matrix y) const {
    const std::size_t group_slots = weights_.blocks_per_group * kBlockCodes;
    Tensor sums(x.rows, weights_.groups);
    for (std::size_t t = 0; t < x.rows; ++t)
      for (std::size_t g = 0; g < weights_.groups; ++g) {
        float sum = 0;
        for (std::size_t i = 0; i < group_slots; ++i) sum += x(t, g * group_slots + i);
        sums.view()(t, g) = sum;
      }
    parallel_ranges(outputs(), kGemvRows, [&](std::size_t begin, std::size_t end) {
      const PackedRows rows = rows_from(begin);
      for (std::size_t t = 0; t < x.rows; ++t)
        kernels_.gemv(&rows, x.row(t), sums.view().row(t), end - begin, y.row(t) + begin);
    });
    add_bias(bias(), y);
  }

  PackedMatrix weights_;
  std::vector<float> bias_;
  WidthKernels kernels_;
};

}  // namespace

bool has_kernels(const Grid& grid) {
  return grid.dimension == 1 && grid.bits <= 8 && kernels_of(grid).gemv != nullptr;
}

std::unique_ptr<Linear> packed_linear(PackedMatrix weights, std::vector<float> bias) {
  return std::make_unique<PackedLinear>(std::move(weights), std::move(bias));
}

}  // namespace nibble
