// The specification of everything about panels: what each code is, the products, the dense form.
#include "kernels/scalar/panels.h"

#include <algorithm>
#include <cmath>

#include "formats/blocks/uneven_levels.h"
#include "tensor/half.h"

namespace nibble::scalar {
namespace {

struct Form {
  int bits;
  bool table;
  PanelScales scales;
  int offset;
  std::size_t header_bytes;
};
constexpr Form kForms[kPanelTypes] = {
#define PANEL(name, bits, table, scales, offset) \
  {bits, table, scales, offset, header_bytes(scales)},
#include "kernels/panels.def"
#undef PANEL
};

// Files with flags of their own cannot include the formats' copy of the levels.
static_assert(std::equal(std::begin(kIv4), std::end(kIv4), block_formats::kUnevenLevels.begin(),
                         block_formats::kUnevenLevels.end()));

int crumb(const std::uint8_t* plane, std::size_t step, std::size_t at) {
  return plane[64 * (step % 2) + at] >> (2 * (step / 2)) & 3;
}

float half_of(const std::uint8_t* halves, std::size_t row) {
  return half_to_float(static_cast<std::uint16_t>(halves[2 * row] | halves[2 * row + 1] << 8));
}

}  // namespace

std::size_t panel_unit_bytes(PanelType type, std::size_t blocks_per_unit) {
  return kForms[type].header_bytes +
         blocks_per_unit * 64 * static_cast<std::size_t>(kForms[type].bits);
}

int panel_code(PanelType type, const std::uint8_t* block, std::size_t row, std::size_t column) {
  const std::size_t step = column / 4, at = 4 * row + column % 4;
  const auto nibble = [&] { return block[64 * (step % 4) + at] >> (step < 4 ? 0 : 4) & 15; };
  switch (kForms[type].bits) {
    case 2:
      return crumb(block, step, at);
    case 3:
      return crumb(block, step, at) | (block[128 + at] >> step & 1) << 2;
    case 4:
      return kForms[type].table ? kIv4[nibble()] + 128 : nibble();
    case 5:
      return nibble() | (block[256 + at] >> step & 1) << 4;
    case 6:
      return nibble() | crumb(block + 256, step, at) << 4;
    default:
      return block[64 * step + at];
  }
}

PanelLine panel_line(PanelType type, const std::uint8_t* unit, std::size_t row,
                     std::size_t column) {
  const Form& form = kForms[type];
  const std::size_t block = column / kBlockColumns, half = column / 16;
  const float d = half_of(unit, row);
  const auto offset = static_cast<float>(form.offset);
  switch (form.scales) {
    case kGroup:
      return {d, -d * offset};
    case kGroupZero:
      return {d, -d * (offset + half_of(unit + 32, row))};
    case kGroupMin:
      return {d, half_of(unit + 32, row)};
    case kSuper32: {
      const float s = d * static_cast<float>(static_cast<std::int8_t>(unit[32 + 16 * block + row]));
      return {s, -s * offset};
    }
    case kSuper32Min:
      return {d * static_cast<float>(unit[64 + 16 * block + row]),
              -half_of(unit + 32, row) * static_cast<float>(unit[192 + 16 * block + row])};
    case kSuper16: {
      const float s = d * static_cast<float>(static_cast<std::int8_t>(unit[32 + 16 * half + row]));
      return {s, -s * offset};
    }
    case kSuper16Min: {
      const int both = unit[64 + 16 * half + row];
      return {d * static_cast<float>(both & 15),
              -half_of(unit + 32, row) * static_cast<float>(both >> 4)};
    }
  }
  return {};
}

void panel_row(PanelType type, const PanelRows& w, std::size_t row, float* out) {
  const std::size_t unit_bytes = panel_unit_bytes(type, w.blocks_per_unit);
  const std::size_t code_bytes = 64 * static_cast<std::size_t>(kForms[type].bits);
  const std::size_t lane = row % kPanelRows;
  const std::uint8_t* unit = w.panels + row / kPanelRows * w.panel_bytes;
  for (std::size_t u = 0; u < w.units; ++u, unit += unit_bytes)
    for (std::size_t c = 0; c < w.blocks_per_unit * kBlockColumns; ++c) {
      const std::uint8_t* block = unit + kForms[type].header_bytes + c / kBlockColumns * code_bytes;
      const PanelLine line = panel_line(type, unit, lane, c);
      *out++ = line.slope * static_cast<float>(panel_code(type, block, lane, c % kBlockColumns)) +
               line.start;
    }
}

namespace {

template <PanelType Type>
void product(const PanelRows* w, size_t first, size_t count, const ByteRows* x, size_t rows,
             float* y, size_t stride) {
  const std::size_t columns = w->units * w->blocks_per_unit * kBlockColumns;
  auto* weights = new float[columns];
  for (std::size_t r = first * kPanelRows; r < (first + count) * kPanelRows; ++r) {
    panel_row(Type, *w, r, weights);
    for (std::size_t t = 0; t < rows; ++t) {
      double sum = 0;
      for (std::size_t c = 0; c < columns; ++c)
        sum += static_cast<double>(weights[c]) * x->codes[t * columns + c] *
               x->scales[t * x->blocks + c / kBlockColumns];
      y[t * stride + r] = static_cast<float>(sum);
    }
  }
  delete[] weights;
}

// One block of 32 weights of one row as codes with one scale.
void expand_block(const Form& form, const DenseForm& dense, const float* weights,
                  const PanelLine& line, const int* codes, std::uint8_t* out, float* scale,
                  float* low) {
  if (form.scales == kSuper16 || form.scales == kSuper16Min) {
    float top = 0;
    for (std::size_t c = 0; c < kBlockColumns; ++c) top = std::max(top, std::fabs(weights[c]));
    *scale = top / 127;
    for (std::size_t c = 0; c < kBlockColumns; ++c)
      out[c / 4 * 64 + c % 4] =
          static_cast<std::uint8_t>(128 + (top > 0 ? std::lround(weights[c] / top * 127) : 0));
    return;
  }
  for (std::size_t c = 0; c < kBlockColumns; ++c)
    out[c / 4 * 64 + c % 4] = static_cast<std::uint8_t>(codes[c]);
  *scale = line.slope;
  if (low != nullptr) *low = line.start + line.slope * static_cast<float>(dense.offset);
}

template <PanelType Type>
void expand(const PanelRows* w, size_t panel, uint8_t* codes, float* scales, float* lows) {
  constexpr Form kForm = kForms[Type];
  constexpr DenseForm kDense = dense_form(kForm.bits, kForm.table, kForm.scales, kForm.offset);
  const std::size_t unit_bytes = panel_unit_bytes(Type, w->blocks_per_unit);
  const std::size_t blocks = w->units * w->blocks_per_unit;
  for (std::size_t row = 0; row < kPanelRows; ++row)
    for (std::size_t b = 0; b < blocks; ++b) {
      const std::uint8_t* unit =
          w->panels + panel * w->panel_bytes + b / w->blocks_per_unit * unit_bytes;
      const std::size_t in_unit = b % w->blocks_per_unit;
      const std::uint8_t* block =
          unit + kForm.header_bytes + in_unit * 64 * static_cast<std::size_t>(kForm.bits);
      float weights[kBlockColumns];
      int found[kBlockColumns];
      PanelLine line;
      for (std::size_t c = 0; c < kBlockColumns; ++c) {
        line = panel_line(Type, unit, row, in_unit * kBlockColumns + c);
        found[c] = panel_code(Type, block, row, c);
        weights[c] = line.slope * static_cast<float>(found[c]) + line.start;
      }
      expand_block(kForm, kDense, weights, line, found, codes + b * 512 + row * 4,
                   scales + b * kPanelRows + row,
                   kDense.has_lows ? lows + b * kPanelRows + row : nullptr);
    }
}

}  // namespace

const PanelKernels panel_kernels[kPanelTypes] = {
#define PANEL(name, bits, table, scales, offset) {product<kPanel_##name>, expand<kPanel_##name>},
#include "kernels/panels.def"
#undef PANEL
};

void int8_gemm(const DensePanels* w, DenseForm form, size_t panels, const ByteTiles* x,
               size_t first_tile, size_t tiles, size_t rows, float* y, size_t stride) {
  for (std::size_t r = 0; r < panels * kPanelRows; ++r)
    for (std::size_t t = first_tile; t < first_tile + tiles && t < rows; ++t) {
      double sum = 0;
      for (std::size_t b = 0; b < w->blocks; ++b) {
        const std::size_t at = t * w->blocks + b, side = (r / kPanelRows * w->blocks + b);
        const std::uint8_t* codes = w->codes + side * 512 + r % kPanelRows * 4;
        std::int64_t dot = 0;
        for (std::size_t c = 0; c < kBlockColumns; ++c)
          dot += (codes[c / 4 * 64 + c % 4] - form.offset) * x->codes[at * kBlockColumns + c];
        const std::size_t scale = side * kPanelRows + r % kPanelRows;
        sum += static_cast<double>(w->scales[scale]) * x->scales[at] * static_cast<double>(dot);
        if (form.has_lows) sum += static_cast<double>(w->lows[scale]) * x->sums[at];
      }
      y[t * stride + r] = static_cast<float>(sum);
    }
}

void round_to_bytes(const float* x, size_t blocks, int8_t* codes, float* scales, int32_t* sums) {
  for (std::size_t b = 0; b < blocks; ++b) {
    float top = 0;
    for (std::size_t c = 0; c < kBlockColumns; ++c)
      top = std::max(top, std::fabs(x[b * kBlockColumns + c]));
    const float inverse = top > 0 ? 127 / top : 0;
    scales[b] = top / 127;
    sums[2 * b] = sums[2 * b + 1] = 0;
    for (std::size_t c = 0; c < kBlockColumns; ++c) {
      const float value = std::nearbyint(x[b * kBlockColumns + c] * inverse);
      codes[b * kBlockColumns + c] = static_cast<std::int8_t>(value);
      sums[2 * b + c / 16] += static_cast<std::int32_t>(value);
    }
  }
}

std::size_t spin_int8(std::size_t rounds) {
  volatile std::int32_t sum = 1;
  for (std::size_t i = 0; i < rounds / 64; ++i) sum = sum + sum * 3;
  return rounds / 64;
}

}  // namespace nibble::scalar
