#include "checkpoint/onnx/protobuf.h"

#include "checkpoint/byte_writer.h"

namespace nibble {
namespace {

enum WireType : std::uint32_t { kVarint = 0, kLengthDelimited = 2, kFourBytes = 5 };

}  // namespace

// Seven bits a byte, the lowest first; the top bit says that more follow.
void ProtobufMessage::varint(std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>((value & 0x7F) | 0x80);
  bytes_ += static_cast<char>(value);
}

void ProtobufMessage::key(std::uint32_t field, std::uint32_t wire_type) {
  varint(std::uint64_t{field} << 3 | wire_type);
}

ProtobufMessage& ProtobufMessage::integer(std::uint32_t field, std::int64_t value) {
  key(field, kVarint);
  varint(static_cast<std::uint64_t>(value));
  return *this;
}

ProtobufMessage& ProtobufMessage::real(std::uint32_t field, float value) {
  key(field, kFourBytes);
  put_number(bytes_, value);
  return *this;
}

ProtobufMessage& ProtobufMessage::text(std::uint32_t field, std::string_view value) {
  key(field, kLengthDelimited);
  varint(value.size());
  bytes_ += value;
  return *this;
}

}  // namespace nibble
