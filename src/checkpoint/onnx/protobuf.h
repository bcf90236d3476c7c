// The wire format of Protocol Buffers, as much of it as ONNX files need, written and not read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nibble {

// One message; fields lie in the order in which they are added.
class ProtobufMessage {
 public:
  ProtobufMessage& integer(std::uint32_t field, std::int64_t value);  // negative: ten bytes
  ProtobufMessage& real(std::uint32_t field, float value);
  ProtobufMessage& text(std::uint32_t field, std::string_view value);  // or bytes, or a message
  ProtobufMessage& message(std::uint32_t field, const ProtobufMessage& value) {
    return text(field, value.bytes());
  }

  const std::string& bytes() const { return bytes_; }

 private:
  void key(std::uint32_t field, std::uint32_t wire_type);
  void varint(std::uint64_t value);

  std::string bytes_;
};

}  // namespace nibble
