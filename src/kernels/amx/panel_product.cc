// A few rows against panels: a block's codes are unpacked once, as one tile, and multiplied with up
// to 16 rows of x in one instruction. Sums of a block leave the tiles to be scaled.
#include "kernels/amx/panel_lines.h"
#include "kernels/amx/panels.h"

namespace nibble::NIBBLE_ISA {
namespace {

constexpr int kParts = 4;  // blocks, or half blocks, whose products are under way together
constexpr size_t kMostRows = 16;
constexpr size_t kAhead = 2048;  // bytes: tiles fill the window in which the CPU looks ahead itself

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

// Where reading a panel has come to.
struct Reader {
  const uint8_t* unit;
  size_t unit_bytes, per_unit, block = 0;

  void next() {
    if (++block < per_unit) return;
    block = 0;
    unit += unit_bytes;
  }
};

// Products under way: parts [0, parts) from `block` on.
struct Chunk {
  alignas(64) int32_t sums[kParts][16][16];
  Line lines[kParts];
  size_t block;
  int parts;
};

// code − Offset as signed bytes.
template <int Offset>
inline __m512i centred(__m512i codes) {
  const __m512i offset = _mm512_set1_epi8(static_cast<char>(Offset));
  return Offset == 128 ? _mm512_xor_si512(codes, offset) : _mm512_sub_epi8(codes, offset);
}

// Unpacks `count` blocks and multiplies them. Where there are fewer than the tiles take, the last
// is multiplied again, for nothing.
template <int Bits, bool Table, PanelScales Scales, int Offset, size_t Rows>
inline void start(Reader& from, size_t block, int count, const RowsOf<Rows>& x,
                  int8_t (*codes)[512], Chunk& chunk) {
  constexpr bool kHalves = by_halves(Scales);
  for (int i = 0; i < count; ++i, from.next()) {
    const uint8_t* block_codes = from.unit + header_bytes(Scales) + from.block * kBlockBytes<Bits>;
    for (size_t line = 0; line <= kBlockBytes<Bits>; line += 64)
      __builtin_prefetch(block_codes + kAhead + line);
    __m512i steps[8];
    unpack<Bits, Table>(block_codes, steps);
    for (int k = 0; k < 8; ++k) _mm512_store_si512(codes[i] + 64 * k, centred<Offset>(steps[k]));
    Line second;
    Line* last = kHalves ? &chunk.lines[2 * i + 1] : &second;
    lines<Scales>(from.unit, from.block, &chunk.lines[kHalves ? 2 * i : i], last);
  }
  chunk.block = block;
  chunk.parts = kHalves ? 2 * count : count;
  NIBBLE_TILE_FENCE();
  const auto which = [&](int part) {
    const int i = kHalves ? part / 2 : part;
    return i < count ? i : count - 1;
  };
  const auto in = [&](int part) {
    return x.codes + block * kBlockColumns + which(part) * 32 + (kHalves ? part % 2 * 16 : 0);
  };
  const auto w = [&](int part) { return codes[which(part)] + (kHalves ? part % 2 * 256 : 0); };
  multiply<0>(in(0), x.stride, w(0));
  multiply<1>(in(1), x.stride, w(1));
  multiply<2>(in(2), x.stride, w(2));
  multiply<3>(in(3), x.stride, w(3));
  _tile_stored(0, chunk.sums[0], 64);
  _tile_stored(1, chunk.sums[1], 64);
  _tile_stored(2, chunk.sums[2], 64);
  _tile_stored(3, chunk.sums[3], 64);
}

template <PanelScales Scales, size_t Rows>
inline void finish(const Chunk& chunk, const RowsOf<Rows>& x, __m512* total) {
  constexpr bool kHalves = by_halves(Scales);
  for (int part = 0; part < chunk.parts; ++part) {
    const size_t b = chunk.block + static_cast<size_t>(kHalves ? part / 2 : part);
    const Line line = chunk.lines[part];
#pragma GCC unroll 16
    for (size_t c = 0; c < Rows; ++c) {
      const __m512 sum = _mm512_cvtepi32_ps(_mm512_load_si512(chunk.sums[part][c]));
      const float step = x.scales[c][b];
      total[c] = _mm512_fmadd_ps(_mm512_mul_ps(sum, line.scale), _mm512_set1_ps(step), total[c]);
      if constexpr (has_lows(Scales))
        total[c] = _mm512_fmadd_ps(
            line.low,
            _mm512_set1_ps(low_factor<kHalves>(step, x.sums[c], b, kHalves ? part % 2 : 0)),
            total[c]);
    }
  }
}

// A chunk is finished while the next one's products are made: their latency is long.
template <int Bits, bool Table, PanelScales Scales, int Offset, size_t Rows>
void panel_by_rows(const PanelRows* w, size_t panel, const RowsOf<Rows>& x, float* y, size_t stride,
                   size_t rows) {
  constexpr size_t kBlocks = by_halves(Scales) ? kParts / 2 : kParts;
  Reader from{};
  from.unit = w->panels + panel * w->panel_bytes;
  from.per_unit = Scales >= kSuper32 ? kSuperBlocks : w->blocks_per_unit;
  from.unit_bytes = header_bytes(Scales) + from.per_unit * kBlockBytes<Bits>;
  const size_t blocks = w->units * from.per_unit;
  alignas(64) int8_t codes[2][kBlocks][512];
  Chunk chunks[2] = {};
  __m512 total[Rows];
  for (size_t c = 0; c < Rows; ++c) total[c] = _mm512_setzero_ps();
  for (size_t block = 0, i = 0; block < blocks; block += kBlocks, i ^= 1) {
    const int count = static_cast<int>(blocks - block < kBlocks ? blocks - block : kBlocks);
    start<Bits, Table, Scales, Offset, Rows>(from, block, count, x, codes[i], chunks[i]);
    finish<Scales, Rows>(chunks[i ^ 1], x, total);  // none at first: no parts
    chunks[i ^ 1].parts = 0;
  }
  for (const Chunk& chunk : chunks) finish<Scales, Rows>(chunk, x, total);
  for (size_t c = 0; c < rows; ++c) _mm512_storeu_ps(y + c * stride, total[c]);
}

template <int Bits, bool Table, PanelScales Scales, int Offset, size_t Rows>
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
  constexpr bool kHalves = by_halves(Scales);
  for (int tile = 0; tile < 4; ++tile) shapes.set(tile, static_cast<int>(rows), 64);
  for (int tile = 4; tile < 8; tile += 2) {
    shapes.set(tile, static_cast<int>(rows), kHalves ? 16 : 32);
    shapes.set(tile + 1, kHalves ? 4 : 8, 64);
  }
  const Tiles tiles(shapes);
  for (size_t p = first; p < first + count; ++p)
    panel_by_rows<Bits, Table, Scales, Offset, Rows>(w, p, in, y + row * stride + p * kPanelRows,
                                                     stride, rows);
}

template <int Bits, bool Table, PanelScales Scales, int Offset>
void product(const PanelRows* w, size_t first, size_t count, const ByteRows* x, size_t rows,
             float* y, size_t stride) {
  for (size_t row = 0; row < rows; row += kMostRows) {
    const size_t left = rows - row < kMostRows ? rows - row : kMostRows;
    if (left <= 4)
      panels_by_rows<Bits, Table, Scales, Offset, 4>(w, first, count, x, row, left, y, stride);
    else if (left <= 8)
      panels_by_rows<Bits, Table, Scales, Offset, 8>(w, first, count, x, row, left, y, stride);
    else
      panels_by_rows<Bits, Table, Scales, Offset, 16>(w, first, count, x, row, left, y, stride);
  }
}

}  // namespace

const PanelProduct panel_products[kPanelTypes] = {
#define PANEL(name, bits, table, scales, offset) product<bits, table, scales, offset>,
#include "kernels/panels.def"
#undef PANEL
};

}  // namespace nibble::NIBBLE_ISA
