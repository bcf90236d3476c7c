#include "checkpoint/gguf_type.h"

#include <gtest/gtest.h>

#include "support/error_text.h"

namespace nibble {
namespace {

// Numbers, block lengths and sizes of ggml's type table.
TEST(GgufType, HasTheSizesOfGgml) {
  struct Row {
    std::uint32_t number;
    std::uint64_t block, bytes;
  };
  for (const auto& [number, block, bytes] :
       {Row{0, 1, 4},      Row{1, 1, 2},      Row{2, 32, 18},    Row{3, 32, 20},
        Row{6, 32, 22},    Row{7, 32, 24},    Row{8, 32, 34},    Row{10, 256, 84},
        Row{11, 256, 110}, Row{12, 256, 144}, Row{13, 256, 176}, Row{14, 256, 210},
        Row{20, 32, 18},   Row{23, 256, 136}, Row{24, 1, 1},     Row{25, 1, 2},
        Row{34, 256, 54},  Row{35, 256, 66},  Row{39, 32, 17},   Row{40, 64, 36},
        Row{41, 128, 18},  Row{42, 64, 18},   Row{26, 1, 4},     Row{27, 1, 8},
        Row{28, 1, 8},     Row{30, 1, 2}}) {
    const GgufType type = gguf_type(number);
    EXPECT_EQ(type.block(), block) << number;
    EXPECT_EQ(type.block_bytes(), bytes) << number;
  }
}

TEST(GgufType, NamesATypeThatExistsAndIsNotReadWithThoseThatAre) {
  const auto ask = [] { gguf_type(18); };
  EXPECT_EQ(test::error_kind(ask), ErrorKind::kUnsupported);
  const std::string text = test::error_text(ask);
  EXPECT_NE(text.find("IQ3_XXS"), std::string::npos) << text;
  EXPECT_NE(text.find("fix:"), std::string::npos) << text;
  EXPECT_NE(text.find("Q4_K"), std::string::npos) << text;
}

TEST(GgufType, CallsANumberThatNobodyUsesDamage) {
  for (const std::uint32_t number : {4u, 5u, 31u, 38u, 1000u, UINT32_MAX})
    EXPECT_EQ(test::error_kind([&] { gguf_type(number); }), ErrorKind::kCorruptFile) << number;
}

}  // namespace
}  // namespace nibble
