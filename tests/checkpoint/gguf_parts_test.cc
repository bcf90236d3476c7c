#include "checkpoint/gguf_parts.h"

#include <gtest/gtest.h>

namespace nibble {
namespace {

TEST(GgufPartName, IsReadAndWrittenAlike) {
  for (const char* text : {"model-00001-of-00003.gguf", "a-00002-of-00002.gguf",
                           "x-00001-of-00001-00002-of-00012.gguf", "--00001-of-99999.gguf"}) {
    const auto name = parse_part_name(text);
    ASSERT_TRUE(name.has_value()) << text;
    EXPECT_EQ(part_name(*name), text);
  }
  const auto name = parse_part_name("model-Q4_K-00002-of-00010.gguf");
  EXPECT_EQ(name->stem, "model-Q4_K");
  EXPECT_EQ(name->part, 2u);
  EXPECT_EQ(name->parts, 10u);
}

TEST(GgufPartName, IsNoNameThatIsOnlyAlike) {
  for (const char* text :
       {"", "model.gguf", "-00001-of-00003.gguf", "model-0001-of-00003.gguf",
        "model-00001-of-00003.GGUF", "model-00001-of-00003.gguf.part", "model_00001-of-00003.gguf",
        "model-00001-OF-00003.gguf", "model-+0001-of-00003.gguf", "model- 0001-of-00003.gguf",
        "model-0x001-of-00003.gguf", "model-00000-of-00003.gguf", "model-00004-of-00003.gguf",
        "model-00001-of-00000.gguf"})
    EXPECT_FALSE(parse_part_name(text).has_value()) << text;
}

}  // namespace
}  // namespace nibble
