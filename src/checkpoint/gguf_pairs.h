// The key/value part of a GGUF file being written. Keys are the caller's, each once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace nibble {

class GgufPairs {
 public:
  GgufPairs& u32(std::string_view key, std::uint32_t value);
  GgufPairs& f32(std::string_view key, float value);
  GgufPairs& flag(std::string_view key, bool value);
  GgufPairs& text(std::string_view key, std::string_view value);
  GgufPairs& texts(std::string_view key, std::span<const std::string> values);
  GgufPairs& floats(std::string_view key, std::span<const float> values);
  GgufPairs& integers(std::string_view key, std::span<const std::int32_t> values);

  GgufPairs& u16(std::string_view key, std::uint16_t value);
  GgufPairs& i32(std::string_view key, std::int32_t value);
  // A whole pair as it lies in another file.
  GgufPairs& copy(std::span<const std::byte> record);

  std::uint64_t count() const { return count_; }
  const std::string& bytes() const { return bytes_; }  // as they lie in the file

 private:
  void begin(std::string_view key, std::uint32_t type);
  void put_text(std::string_view text);
  template <typename Number>
  void put_array(std::uint32_t type, std::span<const Number> values);

  std::string bytes_;
  std::uint64_t count_ = 0;
};

}  // namespace nibble
