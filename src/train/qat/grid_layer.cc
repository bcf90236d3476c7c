#include "train/qat/grid_layer.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/parallel.h"
#include "base/text.h"
#include "nn/matmul.h"
#include "nn/row_tiles.h"

namespace nibble {
namespace {

constexpr std::size_t kRows = 16;
constexpr std::size_t kTileValues = 1u << 20;  // of a gradient of weights, which never exists whole
constexpr float kInside = 0.499f;  // of a step: a weight rounds to the code it is kept beside
constexpr float kLeastFactor = 0.05f;
constexpr float kFarAway = 1e6f;

// Computes with codes that change.
class OnGrid final : public Linear {
 public:
  OnGrid(const Codes& codes, const std::vector<float>& bias) : codes_(codes), bias_(bias) {}

  std::size_t inputs() const override { return codes_.columns; }
  std::size_t outputs() const override { return codes_.rows; }
  std::size_t bytes() const override { return codes_.codes.size(); }
  std::string kind() const override {
    return cat(codes_.grid->name, " groups of ", codes_.group_size, " in training");
  }
  const float* bias() const override { return bias_.empty() ? nullptr : bias_.data(); }
  void decode(std::size_t first, Matrix out) const override { decode_rows(codes_, first, out); }
  void forward(const LayerInput& x, Matrix y, Compute compute) const override {
    multiply_row_tiles(
        x, codes_.rows, [this](std::size_t first, Matrix out) { decode(first, out); }, bias(), y,
        float_compute(compute));
  }

 private:
  const Codes& codes_;
  const std::vector<float>& bias_;
};

// The mean distance of two neighbours.
float step_of(const Grid& grid) {
  if (grid.uniform()) return 1;
  const auto [low, high] = std::minmax_element(grid.codebook.begin(), grid.codebook.end());
  return (*high - *low) / static_cast<float>(grid.used_levels() - 1);
}

struct Range {
  float low, high;
};

// The weights, in units, that round to this code: of the ends of the grid half a step beyond.
Range range_of(const Grid& grid, Code code, float zero, float step) {
  const float value = grid.value(code, {1, zero}) / step;
  if (grid.uniform()) return {value - kInside, value + kInside};
  const float below = code == 0 ? value - 1 : grid.codebook[code - 1u] / step;
  const float above = code + 1u >= grid.used_levels() ? value + 1 : grid.codebook[code + 1u] / step;
  return {value + kInside * (below - value), value + kInside * (above - value)};
}

}  // namespace

bool scales_are_trained(const Storable& storable, const GridTraining& training) {
  const bool joint = storable.blocks != nullptr && storable.blocks->joint();
  return training.scales && !joint && storable.scale_rows == 1;
}

GridLayer::GridLayer(const Linear& original, Codes& codes, const Storable& storable,
                     const Options& options, const GridTraining& training)
    : codes_(codes),
      rounder_(make_rounder(*codes.grid, storable, options)),
      training_(training),
      step_(step_of(*codes.grid)),
      first_(codes.scales) {
  NIBBLE_ASSERT(codes.grid->dimension == 1 && codes.group_index.empty());
  if (original.bias() != nullptr)
    bias_.assign(original.bias(), original.bias() + original.outputs());
  if (scales_are_trained(storable, training)) factors_.assign(first_.size(), 1);
  if (training.weights) begin_units(original);
}

GridLayer::~GridLayer() = default;

void GridLayer::begin_units(const Linear& original) {
  units_.resize(codes_.rows * codes_.columns);
  parallel_ranges(codes_.rows, kRows, [&](std::size_t begin, std::size_t end) {
    Tensor weights(end - begin, codes_.columns);
    original.decode(begin, weights.view());
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t c = 0; c < codes_.columns; ++c) {
        const GroupParams params = codes_.params(r, c / codes_.group_size);
        const Code code = codes_.code(r, c);
        const float value = codes_.grid->value(code, {1, params.zero}) / step_;
        const Range range = range_of(*codes_.grid, code, params.zero, step_);
        const float own = weights.view()(r - begin, c) / (params.scale * step_);
        units_[r * codes_.columns + c] = (value + std::clamp(own, range.low, range.high)) / 2;
      }
  });
}

void GridLayer::add_parameters(const std::string& module, std::vector<Parameter>& parameters) {
  parameter_ = parameters.size();
  if (!units_.empty()) {
    parameters.emplace_back(module + ".weight", units_, false);
    parameters.back().rate = training_.weight_rate;
  }
  if (!factors_.empty()) parameters.emplace_back(module + ".scales", factors_, false);
}

void GridLayer::bind(std::span<Parameter> parameters) {
  std::size_t next = parameter_;
  if (!units_.empty()) unit_gradient_ = parameters[next++].gradient;
  if (!factors_.empty()) factor_gradient_ = parameters[next].gradient;
}

void GridLayer::refresh_scales() {
  // Scales that are stored together are not the same when they are put together once more.
  if (std::all_of(factors_.begin(), factors_.end(), [](float factor) { return factor == 1; }))
    return;
  const bool together = rounder_->storable().together != nullptr;
  for (std::size_t i = 0; i < factors_.size(); ++i) {
    factors_[i] = std::max(factors_[i], kLeastFactor);
    const float scale = first_[i] * factors_[i];
    codes_.scales[i] = together ? scale : rounder_->stored_scale(scale);
  }
  if (together) rounder_->storable().together(codes_);
}

void GridLayer::refresh() {
  refresh_scales();
  if (units_.empty()) return;
  parallel_ranges(codes_.rows, kRows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) round_row(r);
  });
}

void GridLayer::round_row(std::size_t row) {
  const Grid& grid = *codes_.grid;
  std::vector<float> weights(codes_.group_size);
  std::vector<Code> codes(codes_.group_size);
  for (std::size_t g = 0; g < codes_.groups(); ++g) {
    const std::size_t first = g * codes_.group_size;
    const std::size_t count = std::min(codes_.group_size, codes_.columns - first);
    const GroupParams params = codes_.params(row, g);
    const GroupParams unit{1, params.zero};
    const float far = kFarAway * params.scale, back = -far;
    const float low = range_of(grid, rounder_->nearest(&back, params), unit.zero, step_).low;
    const float high = range_of(grid, rounder_->nearest(&far, params), unit.zero, step_).high;
    float* units = units_.data() + row * codes_.columns + first;
    for (std::size_t i = 0; i < count; ++i) {
      units[i] = std::clamp(units[i], low, high);
      weights[i] = units[i] * (params.scale * step_);
    }
    rounder_->round({weights.data(), count}, params, {codes.data(), count});
    for (std::size_t i = 0; i < count; ++i) codes_.set_code(row, first + i, codes[i]);
  }
}

std::unique_ptr<Linear> GridLayer::linear() const {
  return std::make_unique<OnGrid>(codes_, bias_);
}

// With G = dyᵀ·x, the gradient of the weights ŵ, and f a scale's factor: du += G·s·step, and
// df += Σ over the group of G·ŵ / f, since ŵ grows with f.
void GridLayer::add(ConstMatrix x, ConstMatrix dy, Compute) {
  const std::size_t columns = codes_.columns, groups = codes_.groups();
  const std::size_t most = std::clamp<std::size_t>(kTileValues / columns, kRows, codes_.rows);
  for (std::size_t first = 0; first < codes_.rows; first += most) {
    const std::size_t count = std::min(most, codes_.rows - first);
    Tensor gradient(count, columns);
    gradient.fill(0);
    add_cross(dy.columns_at(first, count), x, gradient.view());
    parallel_ranges(count, kRows, [&](std::size_t begin, std::size_t end) {
      Tensor decoded(factors_.empty() ? 0 : 1, columns);
      for (std::size_t r = begin; r < end; ++r) {
        const std::size_t row = first + r;
        const float* g = gradient.view().row(r);
        if (!factors_.empty()) decode_rows(codes_, row, decoded.view());
        for (std::size_t group = 0; group < groups; ++group) {
          const std::size_t at = row * groups + group, from = group * codes_.group_size;
          const std::size_t to = std::min(from + codes_.group_size, columns);
          const float unit = codes_.scales[at] * step_;
          if (!units_.empty())
            for (std::size_t c = from; c < to; ++c)
              unit_gradient_[row * columns + c] += g[c] * unit;
          if (factors_.empty()) continue;
          float sum = 0;
          for (std::size_t c = from; c < to; ++c) sum += g[c] * decoded.data()[c];
          factor_gradient_[at] += sum / factors_[at];
        }
      }
    });
  }
}

}  // namespace nibble
