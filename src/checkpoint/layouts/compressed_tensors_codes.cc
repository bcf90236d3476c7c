// The scales and zeros of compressed-tensors modules (compressed_tensors.cc says what lies where),
// taken from the mapped tensors beside their codes.
#include "checkpoint/layouts/compressed_tensors.h"
#include "checkpoint/layouts/row_codes.h"

namespace nibble::layouts {
namespace {

class CompressedScales final : public RowScales {
 public:
  CompressedScales(const CodeShape& shape, const CompressedParts& parts)
      : parts_(parts), groups_(shape.groups()), bits_(shape.bits()) {}

  std::size_t bytes() const override { return parts_.scales.size() + parts_.zeros.size(); }

  void read(std::size_t row, float* scales, float* zeros) const override {
    for (std::size_t g = 0; g < groups_; ++g) {
      scales[g * kRowsTogether] = stored_float(parts_.scales.data(), parts_.scale_type,
                                               parts_.one_scale ? 0 : row * groups_ + g);
      zeros[g * kRowsTogether] = static_cast<float>(zero(row, g));
    }
  }

 private:
  int zero(std::size_t row, std::size_t group) const {
    const int middle = 1 << (bits_ - 1);
    const std::byte* from = parts_.zeros.data();
    if (parts_.zeros.empty()) return middle;
    if (!parts_.packed_zeros)
      return middle + stored_value<std::int8_t>(from, row * groups_ + group);
    const std::size_t width = static_cast<std::size_t>(bits_), bit = row * width, shift = bit % 32;
    const std::size_t at = bit / 32 * groups_ + group;
    std::uint32_t field = stored_value<std::uint32_t>(from, at) >> shift;
    if (shift + width > 32)
      field |= stored_value<std::uint32_t>(from, at + groups_) << (32 - shift);
    return static_cast<int>(field & ((1u << bits_) - 1));
  }

  CompressedParts parts_;
  std::size_t groups_;
  int bits_;
};

}  // namespace

std::unique_ptr<StoredCodes> compressed_codes(CodeShape shape, const CompressedParts& parts) {
  auto scales = std::make_unique<CompressedScales>(shape, parts);
  return parts.packed ? packed_rows(std::move(shape), parts.codes, std::move(scales))
                      : byte_rows(std::move(shape), parts.codes, std::move(scales));
}

}  // namespace nibble::layouts
