#include "checkpoint/layouts/row_codes.h"

#include <algorithm>
#include <cstring>

#include "formats/bitstream.h"

namespace nibble::layouts {
namespace {

constexpr std::size_t kQuads = kRowsTogether / 4;

class FloatScales final : public RowScales {
 public:
  FloatScales(std::size_t groups, std::vector<float> scales, std::vector<float> zeros, float middle)
      : groups_(groups), scales_(std::move(scales)), zeros_(std::move(zeros)), middle_(middle) {}

  std::size_t bytes() const override { return 4 * (scales_.size() + zeros_.size()); }
  void read(std::size_t row, float* scales, float* zeros) const override {
    for (std::size_t g = 0; g < groups_; ++g) {
      scales[g * kRowsTogether] = scales_[row * groups_ + g];
      zeros[g * kRowsTogether] = zeros_.empty() ? middle_ : zeros_[row * groups_ + g];
    }
  }

 private:
  std::size_t groups_;
  std::vector<float> scales_, zeros_;
  float middle_;
};

class RowCodes : public StoredCodes {
 public:
  RowCodes(CodeShape shape, std::span<const std::byte> codes, std::unique_ptr<RowScales> scales)
      : StoredCodes(std::move(shape)), codes_(codes), scales_(std::move(scales)) {}

  std::size_t bytes() const override { return codes_.size() + scales_->bytes(); }
  void read_scales(std::size_t first, float* scales, float* zeros) const override {
    const std::size_t all = shape().groups() * kRowsTogether;
    const std::size_t count = std::min(kRowsTogether, shape().rows - first);
    if (count < kRowsTogether) {
      std::fill(scales, scales + all, 0.0f);
      std::fill(zeros, zeros + all, 0.0f);
    }
    for (std::size_t lane = 0; lane < count; ++lane)
      scales_->read(first + lane, scales + lane, zeros + lane);
  }

 protected:
  const std::byte* data() const { return codes_.data(); }

 private:
  std::span<const std::byte> codes_;
  std::unique_ptr<RowScales> scales_;
};

template <int Bits>
class PackedRows final : public RowCodes {
 public:
  using RowCodes::RowCodes;

  void read_codes(std::size_t first, std::size_t block, std::size_t blocks,
                  std::uint32_t* out) const override {
    const std::size_t count = std::min(kRowsTogether, shape().rows - first);
    const std::size_t row_words = (shape().columns * Bits + 31) / 32;
    std::uint32_t rows[Bits][kRowsTogether] = {};
    for (std::size_t b = block; b < block + blocks; ++b, out += 8 * kRowsTogether) {
      // The last block may be cut short.
      const std::size_t there = std::min<std::size_t>(Bits, row_words - b * Bits);
      for (std::size_t lane = 0; lane < count; ++lane)
        for (std::size_t k = 0; k < there; ++k)
          std::memcpy(&rows[k][lane], data() + 4 * ((first + lane) * row_words + b * Bits + k), 4);
      for (std::size_t quad = 0; quad < kQuads; ++quad) {
        FourWords words[Bits];
        for (std::size_t k = 0; k < Bits; ++k) std::memcpy(&words[k], &rows[k][4 * quad], 16);
        for (int step = 0; step < 8; ++step) {
          const FourWords codes = four_codes<Bits>(words, step);
          std::memcpy(out + static_cast<std::size_t>(step) * kRowsTogether + 4 * quad, &codes, 16);
        }
      }
    }
  }
};

class ByteRows final : public RowCodes {
 public:
  using RowCodes::RowCodes;

  void read_codes(std::size_t first, std::size_t block, std::size_t blocks,
                  std::uint32_t* out) const override {
    const std::size_t columns = shape().columns;
    const std::uint32_t middle = 0x01010101u << (shape().bits() - 1);
    for (std::size_t step = 8 * block; step < 8 * (block + blocks); ++step)
      for (std::size_t row = first; row < first + kRowsTogether; ++row, ++out) {
        std::uint32_t four = 0;
        if (row < shape().rows && 4 * step < columns)
          std::memcpy(&four, data() + row * columns + 4 * step,
                      std::min<std::size_t>(4, columns - 4 * step));
        // The middle is added to each byte; what is carried into its sign would turn that.
        *out = ((four & 0x7F7F7F7Fu) + middle) ^ (four & 0x80808080u);
      }
  }
};

}  // namespace

std::unique_ptr<RowScales> float_scales(const CodeShape& shape, std::vector<float> scales,
                                        std::vector<float> zeros, float middle) {
  return std::make_unique<FloatScales>(shape.groups(), std::move(scales), std::move(zeros), middle);
}

std::unique_ptr<StoredCodes> packed_rows(CodeShape shape, std::span<const std::byte> words,
                                         std::unique_ptr<RowScales> scales) {
  switch (shape.bits()) {
    case 2:
      return std::make_unique<PackedRows<2>>(std::move(shape), words, std::move(scales));
    case 3:
      return std::make_unique<PackedRows<3>>(std::move(shape), words, std::move(scales));
    case 4:
      return std::make_unique<PackedRows<4>>(std::move(shape), words, std::move(scales));
    case 5:
      return std::make_unique<PackedRows<5>>(std::move(shape), words, std::move(scales));
    case 6:
      return std::make_unique<PackedRows<6>>(std::move(shape), words, std::move(scales));
    default:
      return std::make_unique<PackedRows<8>>(std::move(shape), words, std::move(scales));
  }
}

std::unique_ptr<StoredCodes> byte_rows(CodeShape shape, std::span<const std::byte> codes,
                                       std::unique_ptr<RowScales> scales) {
  return std::make_unique<ByteRows>(std::move(shape), codes, std::move(scales));
}

}  // namespace nibble::layouts
