// Products and decoding of packed codes.
#pragma once

#include "kernels/vector/entries.h"

namespace nibble::NIBBLE_ISA {
namespace {

constexpr size_t kVectors = 32 / kLanes;  // of floats in a block

// Each struct unpacks one block of 32 codes into two times 16 bytes (formats/int*.cc).
struct Int2 {
  static constexpr size_t kBytes = 8;
  static void codes(const uint8_t* block, Bytes* low, Bytes* high) {
    const Bytes bytes = eight(block);
    *low = masked(pair(bytes, moved_down<2>(bytes)), 3);
    *high = masked(pair(moved_down<4>(bytes), moved_down<6>(bytes)), 3);
  }
};

struct Int3 {
  static constexpr size_t kBytes = 12;
  static void codes(const uint8_t* block, Bytes* low, Bytes* high) {
    Int2::codes(block, low, high);
    *low = plus_fours(*low, block + 8);
    *high = plus_fours(*high, block + 10);
  }
};

struct Int4 {
  static constexpr size_t kBytes = 16;
  static void codes(const uint8_t* block, Bytes* low, Bytes* high) {
    const Bytes bytes = sixteen(block);
    *low = masked(bytes, 15);
    *high = high_nibble(bytes);
  }
};

struct Int8 {
  static constexpr size_t kBytes = 32;
  static void codes(const uint8_t* block, Bytes* low, Bytes* high) {
    *low = sixteen(block);
    *high = sixteen(block + 16);
  }
};

// Codes that are numbers themselves.
template <typename Codes>
inline void block_floats(const PackedRows*, const uint8_t* block, Floats* out) {
  Bytes low, high;
  Codes::codes(block, &low, &high);
  to_floats(low, out);
  to_floats(high, out + kVectors / 2);
}

// And those that stand for others.
struct Table4 : Int4 {};
template <>
inline void block_floats<Table4>(const PackedRows* w, const uint8_t* block, Floats* out) {
  Bytes low, high;
  Int4::codes(block, &low, &high);
  from_table(low, w->table, out);
  from_table(high, w->table, out + kVectors / 2);
}

struct Float8 : Int8 {};
template <>
inline void block_floats<Float8>(const PackedRows*, const uint8_t* block, Floats* out) {
  float8_values(sixteen(block), out);
  float8_values(sixteen(block + 16), out + kVectors / 2);
}

// `Rows` rows at once share the loads of x.
template <typename Codes, size_t Rows>
void rows_at_once(const PackedRows* w, size_t row, const float* x, const float* x_sums, float* y) {
  const size_t row_bytes = w->groups * w->blocks_per_group * Codes::kBytes;
  const uint8_t* block[Rows];
  Floats total[Rows];
  float shift[Rows];
  for (size_t r = 0; r < Rows; ++r) {
    block[r] = w->blocks + (row + r) * row_bytes;
    total[r] = all(0);
    shift[r] = 0;
  }
  for (size_t g = 0; g < w->groups; ++g) {
    Floats sum[Rows][2];
    for (size_t r = 0; r < Rows; ++r) sum[r][0] = sum[r][1] = all(0);
    for (size_t b = 0; b < w->blocks_per_group; ++b, x += 32) {
      Floats in[kVectors];
      for (size_t i = 0; i < kVectors; ++i) in[i] = load(x + kLanes * i);
      for (size_t r = 0; r < Rows; ++r) {
        Floats codes[kVectors];
        block_floats<Codes>(w, block[r], codes);
        block[r] += Codes::kBytes;
        for (size_t i = 0; i < kVectors; ++i)
          sum[r][i % 2] = plus_product(sum[r][i % 2], codes[i], in[i]);
      }
    }
    for (size_t r = 0; r < Rows; ++r) {
      const size_t at = (row + r) * w->groups + g;
      total[r] = plus_product(total[r], add(sum[r][0], sum[r][1]), w->scales[at]);
      shift[r] += w->scales[at] * w->zeros[at] * x_sums[g];
    }
  }
  for (size_t r = 0; r < Rows; ++r) y[row + r] = sum_in_turn(total[r]) - shift[r];
}

template <typename Codes>
void gemv(const PackedRows* w, const float* x, const float* x_sums, size_t rows, float* y) {
  size_t row = 0;
  for (; row + kPackedRows <= rows; row += kPackedRows)
    rows_at_once<Codes, kPackedRows>(w, row, x, x_sums, y);
  for (; row < rows; ++row) rows_at_once<Codes, 1>(w, row, x, x_sums, y);
}

template <typename Codes>
void decode(const PackedRows* w, size_t rows, float* out, size_t stride) {
  const uint8_t* block = w->blocks;
  for (size_t r = 0; r < rows; ++r) {
    float* values = out + r * stride;
    for (size_t g = 0; g < w->groups; ++g) {
      const size_t at = r * w->groups + g;
      const Floats scale = all(w->scales[at]), zero = all(w->zeros[at]);
      for (size_t b = 0; b < w->blocks_per_group; ++b, block += Codes::kBytes, values += 32) {
        Floats codes[kVectors];
        block_floats<Codes>(w, block, codes);
        for (size_t i = 0; i < kVectors; ++i)
          store(values + kLanes * i, mul(scale, sub(codes[i], zero)));
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
NIBBLE_PACKED(table4, Table4)
NIBBLE_PACKED(float8, Float8)
#undef NIBBLE_PACKED

}  // namespace nibble::NIBBLE_ISA
