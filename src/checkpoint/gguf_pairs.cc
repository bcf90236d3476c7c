#include "checkpoint/gguf_pairs.h"

#include "checkpoint/byte_writer.h"

namespace nibble {
namespace {

// The numbers of the file format, as GgufMetadata reads them.
enum Type : std::uint32_t {
  kU16 = 2,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kText = 8,
  kArray = 9
};

}  // namespace

void GgufPairs::put_text(std::string_view text) {
  put_number<std::uint64_t>(bytes_, text.size());
  bytes_ += text;
}

void GgufPairs::begin(std::string_view key, std::uint32_t type) {
  put_text(key);
  put_number(bytes_, type);
  ++count_;
}

template <typename Number>
void GgufPairs::put_array(std::uint32_t type, std::span<const Number> values) {
  put_number(bytes_, type);
  put_number<std::uint64_t>(bytes_, values.size());
  for (const Number value : values) put_number(bytes_, value);
}

GgufPairs& GgufPairs::u32(std::string_view key, std::uint32_t value) {
  begin(key, kU32);
  put_number(bytes_, value);
  return *this;
}

GgufPairs& GgufPairs::u16(std::string_view key, std::uint16_t value) {
  begin(key, kU16);
  put_number(bytes_, value);
  return *this;
}

GgufPairs& GgufPairs::i32(std::string_view key, std::int32_t value) {
  begin(key, kI32);
  put_number(bytes_, value);
  return *this;
}

GgufPairs& GgufPairs::copy(std::span<const std::byte> record) {
  bytes_.append(reinterpret_cast<const char*>(record.data()), record.size());
  ++count_;
  return *this;
}

GgufPairs& GgufPairs::f32(std::string_view key, float value) {
  begin(key, kF32);
  put_number(bytes_, value);
  return *this;
}

GgufPairs& GgufPairs::flag(std::string_view key, bool value) {
  begin(key, kBool);
  put_number<std::uint8_t>(bytes_, value ? 1 : 0);
  return *this;
}

GgufPairs& GgufPairs::text(std::string_view key, std::string_view value) {
  begin(key, kText);
  put_text(value);
  return *this;
}

GgufPairs& GgufPairs::texts(std::string_view key, std::span<const std::string> values) {
  begin(key, kArray);
  put_number<std::uint32_t>(bytes_, kText);
  put_number<std::uint64_t>(bytes_, values.size());
  for (const std::string& value : values) put_text(value);
  return *this;
}

GgufPairs& GgufPairs::floats(std::string_view key, std::span<const float> values) {
  begin(key, kArray);
  put_array<float>(kF32, values);
  return *this;
}

GgufPairs& GgufPairs::integers(std::string_view key, std::span<const std::int32_t> values) {
  begin(key, kArray);
  put_array<std::int32_t>(kI32, values);
  return *this;
}

}  // namespace nibble
