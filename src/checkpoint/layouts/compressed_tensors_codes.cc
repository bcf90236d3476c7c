// The codes of one module of a compressed-tensors checkpoint (compressed_tensors.cc says what lies
// where), taken from the mapped file 16 rows at a time.
#include <algorithm>
#include <cstring>

#include "checkpoint/layouts/compressed_tensors.h"
#include "formats/bitstream.h"

namespace nibble::layouts {
namespace {

constexpr std::size_t kQuads = kRowsTogether / 4;

// Scales and zeros, which lie alike beside packed codes and beside bytes.
class ScaledCodes : public StoredCodes {
 public:
  ScaledCodes(CodeShape shape, const CompressedParts& parts)
      : StoredCodes(std::move(shape)), parts_(parts) {}

  std::size_t bytes() const override {
    return parts_.codes.size() + parts_.scales.size() + parts_.zeros.size();
  }

  void read_scales(std::size_t first, float* scales, float* zeros) const override {
    const std::size_t groups = shape().groups();
    for (std::size_t g = 0; g < groups; ++g)
      for (std::size_t row = first; row < first + kRowsTogether; ++row) {
        const bool there = row < shape().rows;
        *scales++ = there ? stored_float(parts_.scales.data(), parts_.scale_type,
                                         parts_.one_scale ? 0 : row * groups + g)
                          : 0;
        *zeros++ = there ? static_cast<float>(zero(row, g, groups)) : 0;
      }
  }

 protected:
  const std::byte* data() const { return parts_.codes.data(); }

 private:
  int zero(std::size_t row, std::size_t group, std::size_t groups) const {
    const int bits = shape().bits(), middle = 1 << (bits - 1);
    const std::byte* from = parts_.zeros.data();
    if (parts_.zeros.empty()) return middle;
    if (!parts_.packed_zeros) return middle + stored_value<std::int8_t>(from, row * groups + group);
    const std::size_t width = static_cast<std::size_t>(bits), bit = row * width, shift = bit % 32;
    const std::size_t at = bit / 32 * groups + group;
    std::uint32_t field = stored_value<std::uint32_t>(from, at) >> shift;
    if (shift + width > 32) field |= stored_value<std::uint32_t>(from, at + groups) << (32 - shift);
    return static_cast<int>(field & ((1u << bits) - 1));
  }

  CompressedParts parts_;
};

template <int Bits>
class PackedCodes final : public ScaledCodes {
 public:
  using ScaledCodes::ScaledCodes;

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
          rows[k][lane] =
              stored_value<std::uint32_t>(data(), (first + lane) * row_words + b * Bits + k);
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

class ByteCodes final : public ScaledCodes {
 public:
  using ScaledCodes::ScaledCodes;

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

std::unique_ptr<StoredCodes> compressed_codes(CodeShape shape, const CompressedParts& parts) {
  if (!parts.packed) return std::make_unique<ByteCodes>(std::move(shape), parts);
  switch (shape.bits()) {
    case 2:
      return std::make_unique<PackedCodes<2>>(std::move(shape), parts);
    case 3:
      return std::make_unique<PackedCodes<3>>(std::move(shape), parts);
    case 4:
      return std::make_unique<PackedCodes<4>>(std::move(shape), parts);
    case 5:
      return std::make_unique<PackedCodes<5>>(std::move(shape), parts);
    case 6:
      return std::make_unique<PackedCodes<6>>(std::move(shape), parts);
    default:
      return std::make_unique<PackedCodes<8>>(std::move(shape), parts);
  }
}

}  // namespace nibble::layouts
