// Rows of x and of dense weights in the tiles' order, rounded to bfloat16.
#include "kernels/amx/panels.h"

namespace nibble::NIBBLE_ISA {
namespace {

__mmask16 lanes(size_t count) {
  return count >= 16 ? static_cast<__mmask16>(0xFFFF) : static_cast<__mmask16>((1u << count) - 1);
}

// 32 values from `p` on, of which `count` exist: the others are 0.
struct Floats {
  using Value = float;
  static __m512i load(const float* p, size_t count) {
    const __m512 low = _mm512_maskz_loadu_ps(lanes(count), p);
    const __m512 high =
        count > 16 ? _mm512_maskz_loadu_ps(lanes(count - 16), p + 16) : _mm512_setzero_ps();
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
  }
};
struct Halves {
  using Value = uint16_t;
  static __m512i load(const uint16_t* p, size_t count) {
    const __m512 low = _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(lanes(count), p));
    const __m512 high = count > 16
                            ? _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(lanes(count - 16), p + 16))
                            : _mm512_setzero_ps();
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
  }
};
struct Bfloats {
  using Value = uint16_t;
  static __m512i load(const uint16_t* p, size_t count) {
    if (count >= kBlockColumns) return _mm512_loadu_si512(p);
    alignas(64) uint16_t padded[kBlockColumns] = {};
    __builtin_memcpy(padded, p, count * sizeof(uint16_t));
    return _mm512_loadu_si512(padded);
  }
};

// Rows to columns: lane i of vector r becomes lane r of vector i.
void transpose(__m512i* v) {
  __m512i t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
  }
  for (int i = 0; i < 16; i += 4)
    for (int k = 0; k < 2; ++k) {
      v[i + 2 * k] = _mm512_unpacklo_epi64(t[i + k], t[i + k + 2]);
      v[i + 2 * k + 1] = _mm512_unpackhi_epi64(t[i + k], t[i + k + 2]);
    }
  // v[4g + c]: rows 4g … 4g + 3, columns c, 4 + c, 8 + c, 12 + c in its quarters.
  for (int c = 0; c < 4; ++c) {
    const __m512i a = _mm512_shuffle_i32x4(v[c], v[4 + c], 0x88);
    const __m512i b = _mm512_shuffle_i32x4(v[8 + c], v[12 + c], 0x88);
    const __m512i d = _mm512_shuffle_i32x4(v[c], v[4 + c], 0xDD);
    const __m512i e = _mm512_shuffle_i32x4(v[8 + c], v[12 + c], 0xDD);
    t[c] = _mm512_shuffle_i32x4(a, b, 0x88);
    t[8 + c] = _mm512_shuffle_i32x4(a, b, 0xDD);
    t[4 + c] = _mm512_shuffle_i32x4(d, e, 0x88);
    t[12 + c] = _mm512_shuffle_i32x4(d, e, 0xDD);
  }
  for (int i = 0; i < 16; ++i) v[i] = t[i];
}

template <typename Kind>
void panel_of(const typename Kind::Value* w, size_t stride, size_t rows, size_t columns,
              uint16_t* out) {
  for (size_t c = 0; c < columns; c += kBlockColumns, out += kTileValues) {
    __m512i v[16];
    for (size_t r = 0; r < 16; ++r)
      v[r] = r < rows ? Kind::load(w + r * stride + c, columns - c) : _mm512_setzero_si512();
    transpose(v);
    for (size_t k = 0; k < 16; ++k) _mm512_storeu_si512(out + k * 32, v[k]);
  }
}

}  // namespace

void pack_rows(const float* x, size_t stride, size_t rows, size_t columns, uint16_t* out) {
  for (size_t r = 0; r < 16; ++r)
    for (size_t c = 0; c < columns; c += kBlockColumns)
      _mm512_storeu_si512(
          out + c * 16 + r * kBlockColumns,
          r < rows ? Floats::load(x + r * stride + c, columns - c) : _mm512_setzero_si512());
}

void panel_of_float(const float* w, size_t stride, size_t rows, size_t columns, uint16_t* out) {
  panel_of<Floats>(w, stride, rows, columns, out);
}
void panel_of_half(const uint16_t* w, size_t stride, size_t rows, size_t columns, uint16_t* out) {
  panel_of<Halves>(w, stride, rows, columns, out);
}
void panel_of_bfloat16(const uint16_t* w, size_t stride, size_t rows, size_t columns,
                       uint16_t* out) {
  panel_of<Bfloats>(w, stride, rows, columns, out);
}

}  // namespace nibble::NIBBLE_ISA
