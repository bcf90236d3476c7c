// A few rows against panels: a block's codes are unpacked once, as one tile, and multiplied with up
// to 16 rows of x in one instruction. Sums of a block leave the tiles to be scaled.
#include "kernels/amx/panel_lines.h"
#include "kernels/amx/panels.h"

namespace nibble::NIBBLE_AVX512 {
namespace {

constexpr int kParts = 4;  // blocks, or half blocks, whose products are under way together
constexpr size_t kMostRows = 16;

// x's rows of one product: up to 16, those missing stand for the last.
template <size_t Rows>
struct RowsOf {
  const int8_t* codes;
  size_t stride;  // of codes
  const float* scales[Rows];
  const int32_t* sums[Rows];
};

// The instructions name their registers: 0 … 3 sums, 4 … 7 operands.
template <int Part>
inline void multiply(const int8_t* x, size_t stride, const int8_t* codes) {
  if constexpr (Part == 0) {
    _tile_zero(0);
    _tile_loadd(4, x, stride);
    _tile_loadd(5, codes, 64);
    _tile_dpbssd(0, 4, 5);
  } else if constexpr (Part == 1) {
    _tile_zero(1);
    _tile_loadd(6, x, stride);
    _tile_loadd(7, codes, 64);
    _tile_dpbssd(1, 6, 7);
  } else if constexpr (Part == 2) {
    _tile_zero(2);
    _tile_loadd(4, x, stride);
    _tile_loadd(5, codes, 64);
    _tile_dpbssd(2, 4, 5);
  } else {
    _tile_zero(3);
    _tile_loadd(6, x, stride);
    _tile_loadd(7, codes, 64);
    _tile_dpbssd(3, 6, 7);
  }
}

// scale · sum of a part's codes of x.
template <bool Halves>
inline float low_factor(float scale, const int32_t* sums, size_t block, int half) {
  const int32_t sum =
      Halves ? sums[2 * block + static_cast<size_t>(half)] : sums[2 * block] + sums[2 * block + 1];
  return scale * static_cast<float>(sum);
}

template <int Bits, bool Table, PanelScheme Scheme, int Offset, size_t Rows>
void panel_by_rows(const PanelRows* w, size_t panel, const RowsOf<Rows>& x, __m512* total) {
  constexpr bool kHalves = panel::by_halves(Scheme);
  constexpr int kBlocks = kHalves ? kParts / 2 : kParts;
  constexpr size_t kCodes = panel::kBlockBytes<Bits>;
  const size_t per_unit = Scheme >= kSuper32 ? kSuperBlocks : w->blocks_per_unit;
  const size_t unit_bytes = panel::header_bytes(Scheme) + per_unit * kCodes;
  const size_t blocks = w->units * per_unit;
  const uint8_t* unit = w->panels + panel * w->panel_bytes;
  alignas(64) int8_t codes[kBlocks][512];
  alignas(64) int32_t sums[kParts][16][16] = {};
  size_t in_unit = 0;
  for (size_t block = 0; block < blocks; block += kBlocks) {
    // Past the last block the codes before it are multiplied once more, and not used.
    const int count = blocks - block < kBlocks ? static_cast<int>(blocks - block) : kBlocks;
    panel::Line lines[kParts];
    for (int i = 0; i < count; ++i) {
      __m512i steps[8];
      panel::unpack<Bits, Table>(unit + panel::header_bytes(Scheme) + in_unit * kCodes, steps);
      const __m512i offset = _mm512_set1_epi8(static_cast<char>(Offset));
      for (int k = 0; k < 8; ++k)
        _mm512_store_si512(codes[i] + 64 * k, _mm512_sub_epi8(steps[k], offset));
      if constexpr (kHalves) {
        panel::lines<Scheme>(unit, in_unit, &lines[2 * i], &lines[2 * i + 1]);
      } else {
        panel::Line same;
        panel::lines<Scheme>(unit, in_unit, &lines[i], &same);
      }
      if (++in_unit == per_unit) {
        in_unit = 0;
        unit += unit_bytes;
      }
    }
    NIBBLE_TILE_FENCE();
    const int8_t* in = x.codes + block * kBlockColumns;
    const auto at = [&](int part) {
      const int last = count - 1, i = kHalves ? part / 2 : part;
      return (i < last ? i : last) * 32 + (kHalves ? part % 2 * 16 : 0);
    };
    multiply<0>(in + at(0), x.stride, codes[0]);
    multiply<1>(in + at(1), x.stride, kHalves ? codes[0] + 256 : codes[1 % kBlocks]);
    multiply<2>(in + at(2), x.stride, codes[kHalves ? 1 : 2 % kBlocks]);
    multiply<3>(in + at(3), x.stride, kHalves ? codes[1] + 256 : codes[3 % kBlocks]);
    _tile_stored(0, sums[0], 64);
    _tile_stored(1, sums[1], 64);
    _tile_stored(2, sums[2], 64);
    _tile_stored(3, sums[3], 64);
    const int parts = kHalves ? 2 * count : count;
    for (int part = 0; part < parts; ++part) {
      const size_t b = block + static_cast<size_t>(kHalves ? part / 2 : part);
      for (size_t c = 0; c < Rows; ++c) {
        const __m512 sum = _mm512_cvtepi32_ps(_mm512_load_si512(sums[part][c]));
        const float step = x.scales[c][b];
        total[c] =
            _mm512_fmadd_ps(_mm512_mul_ps(sum, lines[part].scale), _mm512_set1_ps(step), total[c]);
        if constexpr (panel::has_lows(Scheme))
          total[c] = _mm512_fmadd_ps(
              lines[part].low,
              _mm512_set1_ps(low_factor<kHalves>(step, x.sums[c], b, kHalves ? part % 2 : 0)),
              total[c]);
      }
    }
  }
}

template <int Bits, bool Table, PanelScheme Scheme, int Offset, size_t Rows>
void panels_by_rows(const PanelRows* w, size_t first, size_t count, const ByteRows* x, size_t row,
                    size_t rows, float* y, size_t stride) {
  RowsOf<Rows> in;
  in.stride = x->blocks * kBlockColumns;
  in.codes = x->codes + row * in.stride;
  for (size_t c = 0; c < Rows; ++c) {
    const size_t r = row + (c < rows ? c : rows - 1);
    in.scales[c] = x->scales + r * x->blocks;
    in.sums[c] = x->sums + r * x->blocks * 2;
  }
  TileShapes shapes;
  constexpr bool kHalves = panel::by_halves(Scheme);
  for (int tile = 0; tile < 4; ++tile) shapes.set(tile, static_cast<int>(rows), 64);
  for (int tile = 4; tile < 8; tile += 2) {
    shapes.set(tile, static_cast<int>(rows), kHalves ? 16 : 32);
    shapes.set(tile + 1, kHalves ? 4 : 8, 64);
  }
  const Tiles tiles(shapes);
  for (size_t p = first; p < first + count; ++p) {
    __m512 total[Rows];
    for (size_t c = 0; c < Rows; ++c) total[c] = _mm512_setzero_ps();
    panel_by_rows<Bits, Table, Scheme, Offset, Rows>(w, p, in, total);
    for (size_t c = 0; c < rows; ++c)
      _mm512_storeu_ps(y + (row + c) * stride + p * kPanelRows, total[c]);
  }
}

template <int Bits, bool Table, PanelScheme Scheme, int Offset>
void product(const PanelRows* w, size_t first, size_t count, const ByteRows* x, size_t rows,
             float* y, size_t stride) {
  for (size_t row = 0; row < rows; row += kMostRows) {
    const size_t left = rows - row < kMostRows ? rows - row : kMostRows;
    if (left <= 4)
      panels_by_rows<Bits, Table, Scheme, Offset, 4>(w, first, count, x, row, left, y, stride);
    else if (left <= 8)
      panels_by_rows<Bits, Table, Scheme, Offset, 8>(w, first, count, x, row, left, y, stride);
    else
      panels_by_rows<Bits, Table, Scheme, Offset, 16>(w, first, count, x, row, left, y, stride);
  }
}

}  // namespace

const PanelProduct panel_products[kPanelTypes] = {
#define PANEL(name, bits, table, scheme, offset) product<bits, table, scheme, offset>,
#include "kernels/panels.def"
#undef PANEL
};

}  // namespace nibble::NIBBLE_AVX512
