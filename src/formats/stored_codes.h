// A matrix of codes that stays where a checkpoint has it, read 16 rows at a time: what layouts open
// and layers are made of. Of grids of dimension 1 with codes of up to 8 bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "formats/codes.h"

namespace nibble {

inline constexpr std::size_t kRowsTogether = 16;

// Reading is for several threads at once.
class StoredCodes {
 public:
  explicit StoredCodes(CodeShape shape) : shape_(std::move(shape)) {}
  virtual ~StoredCodes() = default;

  const CodeShape& shape() const { return shape_; }
  virtual std::size_t bytes() const = 0;  // of everything that is read

  std::size_t blocks() const { return (shape_.columns + 31) / 32; }
  // Words of four neighbouring columns' codes, one a byte, the first lowest, of rows
  // [first, first + 16) and blocks of 32 columns [block, block + count); `first` is a multiple of
  // 16. out [8 · count][16]; what does not exist may be anything.
  virtual void read_codes(std::size_t first, std::size_t block, std::size_t count,
                          std::uint32_t* out) const = 0;
  // [groups][16] each, of the same rows; those that do not exist are 0.
  virtual void read_scales(std::size_t first, float* scales, float* zeros) const = 0;

 private:
  CodeShape shape_;
};

// All of it, in memory of its own.
Codes codes_of(const StoredCodes& stored);

// Float weights of rows [first, first + out.rows); out [rows, columns].
void decode_rows(const StoredCodes& stored, std::size_t first, Matrix out);

}  // namespace nibble
