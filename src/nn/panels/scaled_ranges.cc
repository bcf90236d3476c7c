#include "nn/panels/scaled_ranges.h"

#include <algorithm>
#include <utility>

#include "nn/inputs/split_rows.h"
#include "nn/panels/pack_codes.h"

namespace nibble {
namespace {

constexpr float kMiddle = 128;  // the code of weight 0

// The same codes as whole numbers.
class WholeNumbers final : public StoredCodes {
 public:
  explicit WholeNumbers(const StoredCodes& stored) : StoredCodes(stored.shape()), from_(stored) {}
  std::size_t bytes() const override { return from_.bytes(); }
  void read_codes(std::size_t first, std::size_t block, std::size_t count,
                  std::uint32_t* out) const override {
    from_.read_codes(first, block, count, out);
  }
  void read_scales(std::size_t, float* scales, float* zeros) const override {
    std::fill_n(scales, kRowsTogether, 1.0f);
    std::fill_n(zeros, kRowsTogether, kMiddle);
  }

 private:
  const StoredCodes& from_;
};

// One for each row; empty where a zero is not in the middle.
std::vector<float> row_scales(const StoredCodes& stored) {
  std::vector<float> all;
  const std::size_t rows = stored.shape().rows;
  for (std::size_t first = 0; first < rows; first += kRowsTogether) {
    float scales[kRowsTogether], zeros[kRowsTogether];
    stored.read_scales(first, scales, zeros);
    const std::size_t count = std::min(kRowsTogether, rows - first);
    if (std::any_of(zeros, zeros + count, [](float zero) { return zero != kMiddle; })) return {};
    all.insert(all.end(), scales, scales + count);
  }
  return all;
}

}  // namespace

ScaledRanges::ScaledRanges(std::unique_ptr<Panels> panels, std::vector<float> scales,
                           const float* bias, std::optional<float> threshold)
    : panels_(std::move(panels), nullptr),
      scales_(std::move(scales)),
      bias_(bias),
      threshold_(threshold) {}

const LayerInput& ScaledRanges::bytes_of(const LayerInput& x) const {
  return threshold_ ? x.split(*threshold_).codes() : x;
}

void ScaledRanges::read_column(std::size_t column, std::size_t first, std::size_t count,
                               float* out) const {
  // Where a code lies: kernels/panel_types.h, with one unit and a plane for each step.
  const std::size_t at = panel_header_bytes(kPanel_int8) + column / kBlockColumns * 512 +
                         column % kBlockColumns / 4 * 64 + column % 4;
  const PanelRows w = panels_.panels().view();
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t row = first + i;
    const std::uint8_t* codes = w.panels + row / kPanelRows * w.panel_bytes + at;
    out[i] = scales_[row] * (static_cast<float>(codes[4 * (row % kPanelRows)]) - kMiddle);
  }
}

void ScaledRanges::make(const LayerInput& x, std::size_t first, std::size_t count,
                        Strip& strip) const {
  panels_.make(bytes_of(x), first, count, strip);
  if (!threshold_) return;
  const auto columns = x.split(*threshold_).columns();
  strip.columns.resize(columns.size() * count);
  for (std::size_t i = 0; i < columns.size(); ++i)
    read_column(columns[i], first, count, strip.columns.data() + i * count);
}

void ScaledRanges::multiply(const LayerInput& x, const Strip& strip, std::size_t first_row,
                            Matrix y) const {
  panels_.multiply(bytes_of(x), strip, first_row, y);
  const SplitRows* split = threshold_ ? &x.split(*threshold_) : nullptr;
  const float* scales = scales_.data() + strip.first;
  const float* bias = bias_ == nullptr ? nullptr : bias_ + strip.first;
  for (std::size_t r = 0; r < y.rows; ++r) {
    const float step = split == nullptr ? 1 : split->scales()[first_row + r];
    float* out = y.row(r);
    for (std::size_t c = 0; c < strip.count; ++c) out[c] *= step * scales[c];
    if (split != nullptr && !split->columns().empty())
      kernels().mix_float(split->outliers().row(first_row + r), strip.columns.data(), strip.count,
                          split->columns().size(), strip.count, out);
    for (std::size_t c = 0; bias != nullptr && c < strip.count; ++c) out[c] += bias[c];
  }
}

std::unique_ptr<ScaledRanges> scaled_ranges(const StoredCodes& stored, const float* bias,
                                            std::optional<float> threshold) {
  const CodeShape& shape = stored.shape();
  if (!shape.grid->uniform() || shape.bits() != 8 || shape.groups() != 1) return nullptr;
  std::vector<float> scales = row_scales(stored);
  if (scales.empty()) return nullptr;
  // One group: its columns are in order, whatever an index says, and rows of bytes end in zeros.
  SlotOrder order;
  order.blocks_per_group = stored.blocks();
  return std::make_unique<ScaledRanges>(panels_of(WholeNumbers(stored), order), std::move(scales),
                                        bias, threshold);
}

}  // namespace nibble
