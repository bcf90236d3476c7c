#include "checkpoint/layouts/float_codes.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.h"
#include "checkpoint/layouts/stored_values.h"
#include "nibble/error.h"

namespace nibble::layouts {
namespace {

// Codes rise from the lowest value to the highest; of `used` of them the upper half has no sign.
std::uint8_t to_sign_magnitude(Code code, std::size_t used, std::uint8_t sign) {
  const std::size_t half = used / 2, last = std::min<std::size_t>(code, used - 1);
  return last >= half ? static_cast<std::uint8_t>(last - half)
                      : static_cast<std::uint8_t>(sign | (half - 1 - last));
}

std::uint8_t sign_of(const Grid& grid) { return grid.bits == 8 ? 0x80 : 8; }

// The rising code of each stored one; those of fp8 that are no numbers get the last.
std::array<std::uint8_t, 256> rising_codes(const Grid& grid) {
  std::array<std::uint8_t, 256> codes;
  codes.fill(255);
  for (std::size_t code = 0; code < grid.used_levels(); ++code)
    codes[to_sign_magnitude(static_cast<Code>(code), grid.used_levels(), sign_of(grid))] =
        static_cast<std::uint8_t>(code);
  return codes;
}

class FloatCodes final : public StoredCodes {
 public:
  FloatCodes(const CodeShape& shape, std::string module, const FloatParts& parts)
      : StoredCodes(shape),
        module_(std::move(module)),
        parts_(parts),
        rising_(rising_codes(*this->shape().grid)) {}

  std::size_t bytes() const override { return parts_.codes.size() + parts_.scales.size(); }

  void read_codes(std::size_t first, std::size_t block, std::size_t blocks,
                  std::uint32_t* out) const override {
    const std::size_t columns = shape().columns;
    const bool wide = shape().bits() == 8;
    for (std::size_t step = 8 * block; step < 8 * (block + blocks); ++step)
      for (std::size_t row = first; row < first + kRowsTogether; ++row, ++out) {
        *out = 0;
        if (row >= shape().rows) continue;
        for (std::size_t k = 0; k < 4 && 4 * step + k < columns; ++k) {
          const std::size_t at = row * columns + 4 * step + k;
          const auto byte = std::to_integer<std::uint8_t>(parts_.codes[wide ? at : at / 2]);
          const std::uint8_t code = rising_[wide ? byte : at % 2 == 0 ? byte & 15 : byte >> 4];
          if (wide && code == 255)
            throw Error(ErrorKind::kCorruptFile, cat("module \"", module_, "\": weight [", row,
                                                     ", ", 4 * step + k, "] is not a number"));
          *out |= static_cast<std::uint32_t>(code) << (8 * k);
        }
      }
  }

  void read_scales(std::size_t first, float* scales, float* zeros) const override {
    const std::size_t groups = shape().groups();
    for (std::size_t g = 0; g < groups; ++g)
      for (std::size_t row = first; row < first + kRowsTogether; ++row) {
        *scales++ = row < shape().rows ? scale(row / parts_.rows_together * groups + g) : 0;
        *zeros++ = 0;
      }
  }

 private:
  float scale(std::size_t at) const {
    return stored_float(parts_.scales.data(), parts_.scale_type, at) / parts_.divisor;
  }

  std::string module_;  // named in errors
  FloatParts parts_;
  std::array<std::uint8_t, 256> rising_;
};

}  // namespace

bool is_float_grid(const Grid& grid) { return grid.even_ties; }

std::unique_ptr<StoredCodes> float_codes(const CodeShape& shape, const std::string& module,
                                         const TensorInfo& scales, FloatParts parts) {
  const auto corrupt = [&](const std::string& what) {
    throw Error(ErrorKind::kCorruptFile, cat("module \"", module, "\": ", scales.name, what));
  };
  if (parts.scale_type == DType::kU8) parts.scale_type = DType::kF8E8M0;
  const std::size_t count =
      parts.scales.size() * 8 / static_cast<std::size_t>(bits(parts.scale_type));
  const std::size_t wanted =
      (shape.rows + parts.rows_together - 1) / parts.rows_together * shape.groups();
  if (count != wanted)
    corrupt(cat(" has shape ", list_text(scales.shape), "; expected ", wanted, " scales"));
  for (std::size_t i = 0; i < count; ++i)
    if (!std::isfinite(stored_float(parts.scales.data(), parts.scale_type, i) / parts.divisor))
      corrupt(" holds a non-finite value");
  return std::make_unique<FloatCodes>(shape, module, parts);
}

std::vector<std::byte> float_code_bytes(const Codes& codes) {
  const bool wide = codes.bits() == 8;
  const std::size_t used = codes.grid->used_levels();
  const std::uint8_t sign = sign_of(*codes.grid);
  std::vector<std::byte> bytes(codes.codes.size() / (wide ? 1 : 2));
  for (std::size_t i = 0; i < codes.codes.size(); ++i) {
    const auto stored = static_cast<std::byte>(to_sign_magnitude(codes.codes[i], used, sign));
    if (wide)
      bytes[i] = stored;
    else
      bytes[i / 2] |= i % 2 == 0 ? stored : stored << 4;
  }
  return bytes;
}

void share_scales_of_rows(Codes& codes) {
  const std::size_t groups = codes.groups();
  for (std::size_t first = 0; first < codes.rows; first += kRowsOfBlock) {
    const std::size_t end = std::min(codes.rows, first + kRowsOfBlock);
    for (std::size_t g = 0; g < groups; ++g) {
      float largest = 0;
      for (std::size_t r = first; r < end; ++r)
        largest = std::max(largest, std::fabs(codes.scales[r * groups + g]));
      for (std::size_t r = first; r < end; ++r) codes.scales[r * groups + g] = largest;
    }
  }
}

std::vector<float> scales_of_rows(const Codes& codes) {
  std::vector<float> scales;
  const std::size_t groups = codes.groups();
  for (std::size_t first = 0; first < codes.rows; first += kRowsOfBlock)
    scales.insert(scales.end(), codes.scales.begin() + static_cast<std::ptrdiff_t>(first * groups),
                  codes.scales.begin() + static_cast<std::ptrdiff_t>((first + 1) * groups));
  return scales;
}

}  // namespace nibble::layouts
