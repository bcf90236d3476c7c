#include "kernels/neon/packed.h"

namespace nibble::NIBBLE_NEON {
namespace {

// Each struct unpacks one block of 32 codes into two vectors of 16 bytes (formats/int*.cc).
struct Int2 {
  static constexpr size_t kBytes = 8;
  static void codes(const uint8_t* block, uint8x16_t* low, uint8x16_t* high) {
    const uint8x8_t bytes = vld1_u8(block);
    const uint8x16_t three = vdupq_n_u8(3);
    *low = vandq_u8(vcombine_u8(bytes, vshr_n_u8(bytes, 2)), three);
    *high = vandq_u8(vcombine_u8(vshr_n_u8(bytes, 4), vshr_n_u8(bytes, 6)), three);
  }
};

struct Int3 {
  static constexpr size_t kBytes = 12;
  // 4 in every lane whose bit is set in two bytes of bits.
  static uint8x16_t fours(const uint8_t* bits) {
    const uint8_t places[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    const uint8x8_t place = vld1_u8(places);
    const uint8x16_t own = vcombine_u8(vdup_n_u8(bits[0]), vdup_n_u8(bits[1]));
    return vandq_u8(vtstq_u8(own, vcombine_u8(place, place)), vdupq_n_u8(4));
  }
  static void codes(const uint8_t* block, uint8x16_t* low, uint8x16_t* high) {
    Int2::codes(block, low, high);
    *low = vorrq_u8(*low, fours(block + 8));
    *high = vorrq_u8(*high, fours(block + 10));
  }
};

struct Int4 {
  static constexpr size_t kBytes = 16;
  static void codes(const uint8_t* block, uint8x16_t* low, uint8x16_t* high) {
    const uint8x16_t bytes = vld1q_u8(block);
    *low = vandq_u8(bytes, vdupq_n_u8(15));
    *high = vshrq_n_u8(bytes, 4);
  }
};

struct Int8 {
  static constexpr size_t kBytes = 32;
  static void codes(const uint8_t* block, uint8x16_t* low, uint8x16_t* high) {
    *low = vld1q_u8(block);
    *high = vld1q_u8(block + 16);
  }
};

// 16 codes as four vectors of floats.
inline void to_floats(uint8x16_t codes, float32x4_t* out) {
  const uint16x8_t low = vmovl_u8(vget_low_u8(codes)), high = vmovl_high_u8(codes);
  out[0] = vcvtq_f32_u32(vmovl_u16(vget_low_u16(low)));
  out[1] = vcvtq_f32_u32(vmovl_high_u16(low));
  out[2] = vcvtq_f32_u32(vmovl_u16(vget_low_u16(high)));
  out[3] = vcvtq_f32_u32(vmovl_high_u16(high));
}

template <typename Codes>
inline void block_floats(const uint8_t* block, float32x4_t* out) {
  uint8x16_t low, high;
  Codes::codes(block, &low, &high);
  to_floats(low, out);
  to_floats(high, out + 4);
}

// `Rows` rows at once share the loads of x.
template <typename Codes, int Rows>
void rows_at_once(const PackedRows* w, size_t row, const float* x, const float* x_sums, float* y) {
  const size_t row_bytes = w->groups * w->blocks_per_group * Codes::kBytes;
  const uint8_t* block[Rows];
  float32x4_t total[Rows];
  float shift[Rows];
  for (int r = 0; r < Rows; ++r) {
    block[r] = w->blocks + (row + static_cast<size_t>(r)) * row_bytes;
    total[r] = vdupq_n_f32(0);
    shift[r] = 0;
  }
  for (size_t g = 0; g < w->groups; ++g) {
    float32x4_t sum[Rows][2];
    for (int r = 0; r < Rows; ++r) sum[r][0] = sum[r][1] = vdupq_n_f32(0);
    for (size_t b = 0; b < w->blocks_per_group; ++b, x += 32) {
      float32x4_t in[8];
      for (int i = 0; i < 8; ++i) in[i] = vld1q_f32(x + 4 * i);
      for (int r = 0; r < Rows; ++r) {
        float32x4_t codes[8];
        block_floats<Codes>(block[r], codes);
        block[r] += Codes::kBytes;
        for (int i = 0; i < 8; ++i) sum[r][i % 2] = vfmaq_f32(sum[r][i % 2], codes[i], in[i]);
      }
    }
    for (int r = 0; r < Rows; ++r) {
      const size_t at = (row + static_cast<size_t>(r)) * w->groups + g;
      total[r] = vfmaq_n_f32(total[r], vaddq_f32(sum[r][0], sum[r][1]), w->scales[at]);
      shift[r] += w->scales[at] * w->zeros[at] * x_sums[g];
    }
  }
  for (int r = 0; r < Rows; ++r) y[row + static_cast<size_t>(r)] = vaddvq_f32(total[r]) - shift[r];
}

template <typename Codes>
void gemv(const PackedRows* w, const float* x, const float* x_sums, size_t rows, float* y) {
  size_t row = 0;
  for (; row + 4 <= rows; row += 4) rows_at_once<Codes, 4>(w, row, x, x_sums, y);
  for (; row < rows; ++row) rows_at_once<Codes, 1>(w, row, x, x_sums, y);
}

template <typename Codes>
void decode(const PackedRows* w, size_t rows, float* out, size_t stride) {
  const uint8_t* block = w->blocks;
  for (size_t r = 0; r < rows; ++r) {
    float* values = out + r * stride;
    for (size_t g = 0; g < w->groups; ++g) {
      const size_t at = r * w->groups + g;
      const float32x4_t scale = vdupq_n_f32(w->scales[at]), zero = vdupq_n_f32(w->zeros[at]);
      for (size_t b = 0; b < w->blocks_per_group; ++b, block += Codes::kBytes, values += 32) {
        float32x4_t codes[8];
        block_floats<Codes>(block, codes);
        for (int i = 0; i < 8; ++i)
          vst1q_f32(values + 4 * i, vmulq_f32(scale, vsubq_f32(codes[i], zero)));
      }
    }
  }
}

}  // namespace

#define NIBBLE_PACKED(lower, Upper)                                                        \
  void gemv_##lower(const PackedRows* w, const float* x, const float* x_sums, size_t rows, \
                    float* y) {                                                            \
    gemv<Upper>(w, x, x_sums, rows, y);                                                    \
  }                                                                                        \
  void decode_##lower(const PackedRows* w, size_t rows, float* out, size_t stride) {       \
    decode<Upper>(w, rows, out, stride);                                                   \
  }
NIBBLE_PACKED(int2, Int2)
NIBBLE_PACKED(int3, Int3)
NIBBLE_PACKED(int4, Int4)
NIBBLE_PACKED(int8, Int8)
#undef NIBBLE_PACKED

}  // namespace nibble::NIBBLE_NEON
