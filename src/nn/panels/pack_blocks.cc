// Blocks of GGUF rows into panels: codes are taken out four at a time, as the bytes of one word,
// of four rows at once, and put together plane by plane; scales are copied. Nothing is rounded.
#include <algorithm>
#include <cstring>

#include "base/parallel.h"
#include "nn/panels/pack_codes.h"
#include "nn/panels/panels.h"

namespace nibble {
namespace {

constexpr std::size_t kTogether = 4;  // rows whose words are handled at once

// The same place in four rows' blocks.
struct Blocks {
  const std::uint8_t* row[kTogether];

  FourWords word(std::size_t at) const {
    FourWords words;
    for (std::size_t i = 0; i < kTogether; ++i) {
      std::uint32_t word;
      std::memcpy(&word, row[i] + at, sizeof(word));
      words[i] = word;
    }
    return words;
  }
  // out[k]: the words at `at` + 4 · k, k < 4.
  void words(std::size_t at, FourWords* out) const {
    FourWords rows[kTogether];
    for (std::size_t i = 0; i < kTogether; ++i) std::memcpy(&rows[i], row[i] + at, 16);
    const FourWords low0 = __builtin_shufflevector(rows[0], rows[1], 0, 4, 1, 5);
    const FourWords low1 = __builtin_shufflevector(rows[2], rows[3], 0, 4, 1, 5);
    const FourWords high0 = __builtin_shufflevector(rows[0], rows[1], 2, 6, 3, 7);
    const FourWords high1 = __builtin_shufflevector(rows[2], rows[3], 2, 6, 3, 7);
    out[0] = __builtin_shufflevector(low0, low1, 0, 1, 4, 5);
    out[1] = __builtin_shufflevector(low0, low1, 2, 3, 6, 7);
    out[2] = __builtin_shufflevector(high0, high1, 0, 1, 4, 5);
    out[3] = __builtin_shufflevector(high0, high1, 2, 3, 6, 7);
  }
  void eight_words(std::size_t at, FourWords* out) const {
    words(at, out);
    words(at + 16, out + 4);
  }
};

constexpr std::uint32_t kNibbles = 0x0F0F0F0F, kCrumbs = 0x03030303, kBits = 0x01010101;

// Bits 4·step … of `bits` as the lowest bit of four bytes.
FourWords spread(FourWords bits, int step) {
  return (bits >> (4 * step) & 15) * 0x00204081u & kBits;
}

void copy_half(const std::uint8_t* from, std::size_t row, std::uint8_t* halves) {
  std::memcpy(halves + 2 * row, from, 2);
}

void split_nibbles(FourWords* out) {
  for (int k = 0; k < 4; ++k) {
    out[k + 4] = out[k] >> 4 & kNibbles;
    out[k] &= kNibbles;
  }
}

template <std::size_t At>
void nibble_steps(const Blocks& blocks, int, FourWords* out) {
  blocks.words(At, out);
  split_nibbles(out);
}

template <std::size_t At, std::size_t TopAt>
void five_bit_steps(const Blocks& blocks, int b, FourWords* out) {
  nibble_steps<At>(blocks, b, out);
  const FourWords top = blocks.word(TopAt);
  for (int k = 0; k < 8; ++k) out[k] |= spread(top, k) << 4;
}

void byte_steps(const Blocks& blocks, int, FourWords* out) {
  blocks.eight_words(2, out);
  for (int k = 0; k < 8; ++k) out[k] ^= 0x80808080;
}

void one_scale(const std::uint8_t* block, std::size_t row, std::uint8_t* header) {
  copy_half(block, row, header);
}
void scale_and_low(const std::uint8_t* block, std::size_t row, std::uint8_t* header) {
  copy_half(block, row, header);
  copy_half(block + 2, row, header + 32);
}

// Super-blocks of 256: sub-block b of 32.
std::size_t part(std::size_t at, int index) { return at + 32 * static_cast<std::size_t>(index); }

template <std::size_t At>
void q4_k_steps(const Blocks& blocks, int b, FourWords* out) {
  blocks.eight_words(part(At, b / 2), out);
  for (int k = 0; k < 8; ++k) out[k] = out[k] >> (4 * (b % 2)) & kNibbles;
}
void q5_k_steps(const Blocks& blocks, int b, FourWords* out) {
  FourWords top[8];
  q4_k_steps<48>(blocks, b, out);
  blocks.eight_words(16, top);
  for (int k = 0; k < 8; ++k) out[k] |= (top[k] >> b & kBits) << 4;
}
void six_bit_scales(const std::uint8_t* block, std::size_t row, std::uint8_t* header) {
  scale_and_low(block, row, header);
  const std::uint8_t* s = block + 4;
  for (int j = 0; j < 8; ++j) {
    const int scale = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | s[j - 4] >> 6 << 4;
    const int low = j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | s[j] >> 6 << 4;
    header[64 + 16 * j + static_cast<int>(row)] = static_cast<std::uint8_t>(scale);
    header[192 + 16 * j + static_cast<int>(row)] = static_cast<std::uint8_t>(low);
  }
}

void q6_k_steps(const Blocks& blocks, int b, FourWords* out) {
  const int half = b / 4, quarter = b % 4;
  FourWords top[8];
  blocks.eight_words(part(0, 2 * half + quarter % 2), out);
  blocks.eight_words(part(128, half), top);
  for (int k = 0; k < 8; ++k)
    out[k] = (out[k] >> (quarter < 2 ? 0 : 4) & kNibbles) | (top[k] >> (2 * quarter) & kCrumbs)
                                                                << 4;
}
void q6_k_scales(const std::uint8_t* block, std::size_t row, std::uint8_t* header) {
  copy_half(block + 208, row, header);
  for (std::size_t j = 0; j < 16; ++j) header[32 + 16 * j + row] = block[192 + j];
}

template <std::size_t At>
void crumb_steps(const Blocks& blocks, int b, FourWords* out) {
  blocks.eight_words(part(At, b / 4), out);
  for (int k = 0; k < 8; ++k) out[k] = out[k] >> (2 * (b % 4)) & kCrumbs;
}
void q2_k_scales(const std::uint8_t* block, std::size_t row, std::uint8_t* header) {
  copy_half(block + 80, row, header);
  copy_half(block + 82, row, header + 32);
  for (std::size_t j = 0; j < 16; ++j) header[64 + 16 * j + row] = block[j];
}
// Q2_K whose sub-blocks all have the block's own scale, once for the codes and once for their
// lowest.
void tq2_0_scales(const std::uint8_t* block, std::size_t row, std::uint8_t* header) {
  copy_half(block + 64, row, header);
  copy_half(block + 64, row, header + 32);
  for (std::size_t j = 0; j < 16; ++j) header[64 + 16 * j + row] = 0x11;
}
void q3_k_steps(const Blocks& blocks, int b, FourWords* out) {
  FourWords top[8];
  crumb_steps<32>(blocks, b, out);
  blocks.eight_words(0, top);
  for (int k = 0; k < 8; ++k) out[k] |= (top[k] >> b & kBits) << 2;
}
void q3_k_scales(const std::uint8_t* block, std::size_t row, std::uint8_t* header) {
  copy_half(block + 108, row, header);
  const std::uint8_t* s = block + 96;
  for (std::size_t j = 0; j < 16; ++j) {
    const int low = j < 8 ? s[j] & 15 : s[j - 8] >> 4;
    const int high = s[8 + j % 4] >> (2 * (j / 4)) & 3;
    header[32 + 16 * j + row] = static_cast<std::uint8_t>((low | high << 4) - 32);
  }
}

void iq4_xs_steps(const Blocks& blocks, int b, FourWords* out) {
  blocks.words(8 + 16 * static_cast<std::size_t>(b), out);
  split_nibbles(out);
}
void iq4_xs_scales(const std::uint8_t* block, std::size_t row, std::uint8_t* header) {
  copy_half(block, row, header);
  const int high = block[2] | block[3] << 8;
  for (int b = 0; b < 8; ++b) {
    const int scale = (block[4 + b / 2] >> (4 * (b % 2)) & 15) | (high >> (2 * b) & 3) << 4;
    header[32 + 16 * b + static_cast<int>(row)] = static_cast<std::uint8_t>(scale - 32);
  }
}

// Where a matrix comes from and goes to.
struct Job {
  const BlockFormat& format;
  const std::uint8_t* rows;
  std::span<const std::uint32_t> row_of;
  std::size_t units, blocks;  // units in a row, blocks of 32 in a unit
  Panels& panels;
};

// Panels [begin, end). `Steps` gives eight words of the 32 codes of sub-block `b`, `Scales` writes
// row `lane`'s part of the unit's header; both are known here so that the loops are compiled for
// each format.
template <int Bits, auto Steps, auto Scales>
void pack(const Job& job, std::size_t begin, std::size_t end) {
  const PanelType type = job.panels.type();
  const std::size_t unit_bytes = job.panels.unit_bytes(), header = panel_header_bytes(type);
  const std::size_t row_bytes = job.units * job.format.block_bytes,
                    block_bytes = job.format.block_bytes;
  for (std::size_t p = begin; p < end; ++p) {
    const std::size_t count = std::min(kPanelRows, job.panels.rows() - p * kPanelRows);
    const std::uint8_t* sources[kPanelRows];
    for (std::size_t lane = 0; lane < count; ++lane) {
      const std::size_t row = p * kPanelRows + lane;
      sources[lane] = job.rows + (job.row_of.empty() ? row : job.row_of[row]) * row_bytes;
    }
    // Rows that are not there repeat the last one, and are cleared afterwards.
    for (std::size_t lane = count; lane < kPanelRows; ++lane) sources[lane] = sources[count - 1];
    std::uint8_t* unit = job.panels.panel(p);
    for (std::size_t u = 0; u < job.units; ++u, unit += unit_bytes) {
      const std::size_t at = u * block_bytes;
      for (std::size_t lane = 0; lane < count; ++lane) Scales(sources[lane] + at, lane, unit);
      for (std::size_t lane = 0; lane < kPanelRows; lane += kTogether) {
        Blocks blocks;
        for (std::size_t i = 0; i < kTogether; ++i) blocks.row[i] = sources[lane + i] + at;
        for (std::size_t b = 0; b < job.blocks; ++b) {
          FourWords steps[8];
          Steps(blocks, static_cast<int>(b), steps);
          put_steps(steps, Bits, lane, unit + header + b * 64 * Bits);
        }
      }
      for (std::size_t lane = count; lane < kPanelRows; ++lane)
        clear_panel_row(unit, unit_bytes, lane, type);
    }
  }
}

struct Packer {
  std::string_view format;
  PanelType type;
  void (*pack)(const Job& job, std::size_t begin, std::size_t end);
};

constexpr Packer kPackers[] = {
    {"Q4_0", kPanel_int4, pack<4, nibble_steps<2>, one_scale>},
    {"Q4_1", kPanel_int4_min, pack<4, nibble_steps<4>, scale_and_low>},
    {"Q5_0", kPanel_int5, pack<5, five_bit_steps<6, 2>, one_scale>},
    {"Q5_1", kPanel_int5_min, pack<5, five_bit_steps<8, 4>, scale_and_low>},
    {"Q8_0", kPanel_int8, pack<8, byte_steps, one_scale>},
    {"IQ4_NL", kPanel_iv4, pack<4, nibble_steps<2>, one_scale>},
    {"IQ4_XS", kPanel_iv4_super32, pack<4, iq4_xs_steps, iq4_xs_scales>},
    {"Q4_K", kPanel_int4_super32_min, pack<4, q4_k_steps<16>, six_bit_scales>},
    {"Q5_K", kPanel_int5_super32_min, pack<5, q5_k_steps, six_bit_scales>},
    {"Q2_K", kPanel_int2_super16_min, pack<2, crumb_steps<16>, q2_k_scales>},
    {"TQ2_0", kPanel_int2_super16_min, pack<2, crumb_steps<0>, tq2_0_scales>},
    {"Q3_K", kPanel_int3_super16, pack<3, q3_k_steps, q3_k_scales>},
    {"Q6_K", kPanel_int6_super16, pack<6, q6_k_steps, q6_k_scales>},
};

const Packer* packer_of(std::string_view format) {
  for (const Packer& packer : kPackers)
    if (packer.format == format) return &packer;
  return nullptr;
}

}  // namespace

bool has_panels(const BlockFormat& format) { return packer_of(format.name) != nullptr; }

std::unique_ptr<Panels> panels_of(const BlockFormat& format, const std::uint8_t* rows,
                                  std::size_t outputs, std::size_t inputs,
                                  std::span<const std::uint32_t> row_of) {
  const Packer* packer = packer_of(format.name);
  if (packer == nullptr || inputs % format.block != 0) return nullptr;
  const std::size_t units = inputs / format.block, blocks = format.block / kBlockColumns;
  auto panels = std::make_unique<Panels>(packer->type, outputs, units, blocks);
  const Job job{format, rows, row_of, units, blocks, *panels};
  parallel_ranges(panels->panels(), 4,
                  [&](std::size_t begin, std::size_t end) { packer->pack(job, begin, end); });
  return panels;
}

}  // namespace nibble
