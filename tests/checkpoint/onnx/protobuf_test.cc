#include "checkpoint/onnx/protobuf.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace nibble {
namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out += static_cast<char>(value);
  return out;
}

// Bytes by hand, after the format's specification.
TEST(Protobuf, AnIntegerTakesSevenBitsAByte) {
  EXPECT_EQ(ProtobufMessage().integer(1, 0).bytes(), bytes({0x08, 0x00}));
  EXPECT_EQ(ProtobufMessage().integer(1, 127).bytes(), bytes({0x08, 0x7F}));
  EXPECT_EQ(ProtobufMessage().integer(1, 150).bytes(), bytes({0x08, 0x96, 0x01}));
  EXPECT_EQ(ProtobufMessage().integer(3, 16384).bytes(), bytes({0x18, 0x80, 0x80, 0x01}));
}

TEST(Protobuf, ANegativeIntegerTakesTenBytes) {
  EXPECT_EQ(ProtobufMessage().integer(2, -1).bytes(),
            bytes({0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01}));
}

TEST(Protobuf, AFieldAboveFifteenHasAKeyOfTwoBytes) {
  EXPECT_EQ(ProtobufMessage().integer(20, 1).bytes(), bytes({0xA0, 0x01, 0x01}));
}

TEST(Protobuf, ATextHasItsLengthInFront) {
  EXPECT_EQ(ProtobufMessage().text(2, "testing").bytes(), bytes({0x12, 0x07}) + "testing");
  EXPECT_EQ(ProtobufMessage().text(2, "").bytes(), bytes({0x12, 0x00}));
  const std::string longer(300, 'x');
  EXPECT_EQ(ProtobufMessage().text(2, longer).bytes(), bytes({0x12, 0xAC, 0x02}) + longer);
}

TEST(Protobuf, AFloatTakesFourBytes) {
  EXPECT_EQ(ProtobufMessage().real(2, 1.5f).bytes(), bytes({0x15, 0x00, 0x00, 0xC0, 0x3F}));
}

TEST(Protobuf, MessagesLieInMessagesAndFieldsInTheirOrder) {
  const ProtobufMessage inner = ProtobufMessage().integer(1, 150);
  EXPECT_EQ(ProtobufMessage().message(3, inner).integer(1, 2).integer(1, 3).bytes(),
            bytes({0x1A, 0x03, 0x08, 0x96, 0x01, 0x08, 0x02, 0x08, 0x03}));
}

}  // namespace
}  // namespace nibble
