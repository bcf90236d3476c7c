// Which type of blocks a module gets.
#include <gtest/gtest.h>

#include "checkpoint/layout.h"

namespace nibble {
namespace {

const Layout& gguf() { return layouts::named("gguf"); }

ModuleSettings settings_of(std::string_view grid, std::string_view dialect = "") {
  return {&grids::named(grid), gguf().usual_groups(grids::named(grid), dialect).front()};
}

std::string type_of(std::string_view dialect, std::string_view grid, std::size_t columns) {
  LayoutSettings settings;
  settings.dialect = dialect;
  const CodeShape shape = code_shape(32, columns, settings_of(grid, dialect));
  if (!gguf().refusal(shape).empty()) return "none";
  return std::string(gguf().plan("m", shape, settings).front().blocks->name);
}

TEST(GgufLayout, GivesTheTypeThatWasAskedFor) {
  for (const std::string_view dialect : gguf().dialects)
    EXPECT_EQ(type_of(dialect, gguf().grid_of(dialect), 512), dialect);
}

TEST(GgufLayout, GivesOtherGridsTheTypeMostLikeIt) {
  EXPECT_EQ(type_of("Q4_K", "int6", 512), "Q6_K");
  EXPECT_EQ(type_of("Q4_K", "int5", 512), "Q5_K");
  EXPECT_EQ(type_of("Q4_0", "int5", 512), "Q5_0");
  EXPECT_EQ(type_of("Q4_1", "int5", 512), "Q5_1");
  EXPECT_EQ(type_of("Q4_K", "int8", 512), "Q8_0");
  EXPECT_EQ(type_of("Q4_K", "iq4", 512), "IQ4_XS");
  EXPECT_EQ(type_of("Q4_0", "iq4", 512), "IQ4_NL");
  EXPECT_EQ(type_of("Q4_K", "ternary", 512), "TQ1_0");
}

TEST(GgufLayout, FallsToSmallBlocksWhereLargeOnesDoNotDivideTheRow) {
  EXPECT_EQ(type_of("Q4_K", "int4", 576), "Q4_1");
  EXPECT_EQ(type_of("Q5_K", "int5", 576), "Q5_1");
  EXPECT_EQ(type_of("IQ4_XS", "iq4", 576), "IQ4_NL");
  EXPECT_EQ(type_of("Q6_K", "int6", 576), "none");
  EXPECT_EQ(type_of("Q8_0", "int8", 172), "none");
}

TEST(GgufLayout, TellsWhichModulesGetAnotherType) {
  LayoutSettings settings;
  settings.dialect = "Q4_K";
  const ModuleSettings int4 = settings_of("int4");
  const std::vector<ShapedModule> modules = {
      {"a", 32, 576, int4}, {"b", 32, 1536, int4}, {"c", 32, 64, int4}};
  const auto findings = gguf().consumers(modules, settings);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_FALSE(findings[0].error);
  EXPECT_NE(findings[0].text.find("2 modules become Q4_1"), std::string::npos) << findings[0].text;
  EXPECT_NE(findings[0].text.find("576"), std::string::npos) << findings[0].text;
  EXPECT_TRUE(gguf().consumers(std::span(modules).subspan(1, 1), settings).empty());
}

TEST(GgufLayout, SaysWhyAShapeFitsNoBlock) {
  CodeShape shape = code_shape(32, 512, {&grids::named("int4"), 128});
  EXPECT_NE(gguf().refusal(shape).find("32 weights"), std::string::npos) << gguf().refusal(shape);
  shape = code_shape(32, 172, settings_of("int8"));
  EXPECT_NE(gguf().refusal(shape).find("rows of 172"), std::string::npos) << gguf().refusal(shape);
}

}  // namespace
}  // namespace nibble
