// Reads numbers and text out of untrusted bytes, front to back. Nothing is read past the end, and
// there is no way to read but this.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble {

static_assert(std::endian::native == std::endian::little);

// Sums and products of claimed sizes: false when the result does not fit.
inline bool add_fits(std::uint64_t a, std::uint64_t b, std::uint64_t& sum) {
  return !__builtin_add_overflow(a, b, &sum);
}
inline bool multiply_fits(std::uint64_t a, std::uint64_t b, std::uint64_t& product) {
  return !__builtin_mul_overflow(a, b, &product);
}
// Up to the next multiple of `alignment`, a power of two.
inline bool pad_fits(std::uint64_t value, std::uint64_t alignment, std::uint64_t& padded) {
  if (!add_fits(value, alignment - 1, padded)) return false;
  padded &= ~(alignment - 1);
  return true;
}

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::size_t position() const { return position_; }
  // What was read from `begin`, an earlier position, on.
  std::span<const std::byte> since(std::size_t begin) const {
    return bytes_.subspan(begin, position_ - begin);
  }
  std::size_t remaining() const { return bytes_.size() - position_; }

  // `what` names the field in the message when the file ends before it does.
  std::span<const std::byte> take(std::uint64_t count, std::string_view what) {
    if (count > remaining())
      throw Error(ErrorKind::kCorruptFile, cat("byte ", position_, ": ", what, " needs ", count,
                                               " bytes; the file has ", remaining(), " more"));
    const auto part = bytes_.subspan(position_, static_cast<std::size_t>(count));
    position_ += part.size();
    return part;
  }

  template <typename Number>
  Number number(std::string_view what) {
    Number value;
    std::memcpy(&value, take(sizeof(Number), what).data(), sizeof(Number));
    return value;
  }

  // A length of 8 bytes, then so many bytes.
  std::string_view text(std::uint64_t limit, std::string_view what) {
    const auto length = number<std::uint64_t>(what);
    if (length > limit)
      throw Error(ErrorKind::kCorruptFile, cat("byte ", position_ - 8, ": ", what, " has ", length,
                                               " bytes; at most ", limit, " are allowed"));
    const auto part = take(length, what);
    return {reinterpret_cast<const char*>(part.data()), part.size()};
  }

  // A count of things that take at least `least` bytes each: what cannot follow is refused here,
  // before anyone makes room for it.
  std::uint64_t count(std::uint64_t value, std::uint64_t least, std::uint64_t limit,
                      std::string_view what) const {
    if (value > limit || value > remaining() / least)
      throw Error(ErrorKind::kCorruptFile,
                  cat("byte ", position_, ": ", value, " ", what, "; ",
                      value > limit ? cat("at most ", limit, " are allowed")
                                    : cat("the ", remaining(), " bytes left hold fewer")));
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t position_ = 0;
};

}  // namespace nibble
