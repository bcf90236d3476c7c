// TQ1_0: 256 weights of three values, five in a byte, and one scale.
//   block, 54 bytes:  digits uint8[52] | scale float16;  weight = scale · (digit − 1)
//   bytes 0 … 31 hold weights m, 32 + m, … 128 + m; bytes 32 … 47 weights 160 + m, 176 + m, …;
//   bytes 48 … 51 four each, 240 + m, 244 + m, … a byte is ⌈256 · n / 243⌉ of the number n with
//   five digits of base 3, the first weight's in front
#include "formats/block_format.h"
#include "formats/blocks/ternary.h"

namespace nibble::block_formats {
namespace {

// Bytes that hold digits of weights `stride` apart.
struct Part {
  int first_byte, first_weight, stride, digits;
};
constexpr Part kParts[] = {{0, 0, 32, 5}, {32, 160, 16, 5}, {48, 240, 4, 4}};

void decode(const std::uint8_t* block, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, block += 54, out += 256) {
    const float scale = half_at(block + 52);
    for (const Part& part : kParts)
      for (int m = 0; m < part.stride; ++m) {
        // Three times the fraction that a byte is: its whole part is a digit.
        unsigned fraction = block[part.first_byte + m];
        for (int n = 0; n < part.digits; ++n) {
          const unsigned tripled = fraction * 3;
          out[part.first_weight + n * part.stride + m] =
              scale * static_cast<float>(static_cast<int>(tripled >> 8) - 1);
          fraction = tripled & 255;
        }
      }
  }
}

void put_digits(const int* digits, std::uint8_t* block) {
  for (const Part& part : kParts)
    for (int m = 0; m < part.stride; ++m) {
      int number = 0;
      for (int n = 0; n < 5; ++n)
        number =
            3 * number + (n < part.digits ? digits[part.first_weight + n * part.stride + m] : 0);
      block[part.first_byte + m] = static_cast<std::uint8_t>((number * 256 + 242) / 243);
    }
}

void encode(const float* weights, const float*, std::size_t count, std::uint8_t* block) {
  for (std::size_t b = 0; b < count; ++b, block += 54, weights += 256) {
    int codes[256];
    put_half(block + 52, ternary_codes(weights, 256, codes));
    put_digits(codes, block);
  }
}

void read_scales(const std::uint8_t* block, float* scales, float* zeros) {
  *scales = half_at(block + 52);
  *zeros = 2;
}

void put_scales(const float* scales, std::uint8_t* block) { put_half(block + 52, *scales); }

void put_codes(const int* codes, std::uint8_t* block) {
  int stored[256];
  stored_ternary(codes, 256, stored);
  put_digits(stored, block);
}

}  // namespace

extern const BlockFormat tq1_0{.name = "TQ1_0",
                               .ggml_type = 34,
                               .block = 256,
                               .block_bytes = 54,
                               .decode = decode,
                               .encode = encode,
                               .grid = "ternary",
                               .group = 256,
                               .read_scales = read_scales,
                               .put_scales = put_scales,
                               .put_codes = put_codes,
                               .file_type = 36};

}  // namespace nibble::block_formats
