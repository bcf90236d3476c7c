#include "nibble/dtype.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace nibble {
namespace {

constexpr int kCount = static_cast<int>(DType::kU64) + 1;

TEST(DType, IsFoundByItsName) {
  std::set<std::string_view> names;
  for (int i = 0; i < kCount; ++i) {
    const auto type = static_cast<DType>(i);
    EXPECT_EQ(dtype_named(name(type)), type);
    EXPECT_TRUE(names.insert(name(type)).second) << name(type);
  }
}

// The names and sizes of the safetensors format's own list.
TEST(DType, HasTheSizesOfTheFormat) {
  const std::pair<std::string_view, int> expected[] = {
      {"BOOL", 8},  {"F4", 4},   {"F6_E2M3", 6}, {"F8_E4M3", 8}, {"I16", 16}, {"F16", 16},
      {"BF16", 16}, {"I32", 32}, {"F32", 32},    {"C64", 64},    {"F64", 64}, {"U64", 64},
  };
  for (const auto& [text, size] : expected) {
    ASSERT_TRUE(dtype_named(text).has_value()) << text;
    EXPECT_EQ(bits(*dtype_named(text)), size) << text;
  }
}

TEST(DType, IsNotFoundByANameThatIsOnlyAlike) {
  for (const std::string_view text : {"", "f32", "F32 ", "FLOAT32", "BF1", "Q4_0"})
    EXPECT_FALSE(dtype_named(text).has_value()) << text;
}

}  // namespace
}  // namespace nibble
