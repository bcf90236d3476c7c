#include "cli/recipe_string.h"

#include <gtest/gtest.h>

#include "nibble/error.h"

namespace nibble::cli {
namespace {

std::string refusal(const std::string& text) {
  try {
    parse_recipe(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    return error.what();
  }
  return "nothing was refused";
}

TEST(RecipeString, SaysTransformsMethodGridGroupLayoutAndType) {
  const RecipeString recipe = parse_recipe(
      "smoothquant(alpha=0.7)|awq | gptq(damping=0.05,act-order=none) 4:64->gguf:q4_k");
  const RecipeString expected{
      .transforms = {"smoothquant", "awq"},
      .method = "gptq",
      .grid = "int4",
      .group = "64",
      .settings = {{"smooth-alpha", "0.7"}, {"damping", "0.05"}, {"act-order", "none"}},
      .layout = "gguf",
      .type = "Q4_K"};
  EXPECT_EQ(recipe, expected) << text_of(recipe);
}

TEST(RecipeString, EveryPartMayBeLeftOut) {
  EXPECT_EQ(parse_recipe("awq").transforms, std::vector<std::string>{"awq"});
  EXPECT_EQ(parse_recipe("hqq").method, "hqq");
  EXPECT_EQ(parse_recipe("nf4:-1").group, "-1");
  EXPECT_EQ(parse_recipe("-> awq").layout, "awq");
  EXPECT_EQ(parse_recipe("rtn -> q4_k_m").type, "Q4_K_M");
  EXPECT_EQ(parse_recipe("rtn -> F16").type, "F16");
}

TEST(RecipeString, IsReadAgainAsItIsPrinted) {
  for (const char* text :
       {"awq", "rtn", "int4", "-> awq", "-> Q4_K_M", "rtn int4:-1 -> gptq:gptq_v2",
        "awq(steps=4, rows=16) | smoothquant(alpha=0.7) | gptq(act-order=none) nf4:64 -> "
        "bitsandbytes:double",
        "awq | 3:32 -> compressed-tensors:int-quantized", "hqq(rounds=5) int3:64 -> mlx"}) {
    const RecipeString recipe = parse_recipe(text);
    EXPECT_EQ(parse_recipe(text_of(recipe)), recipe) << text_of(recipe);
    EXPECT_EQ(text_of(parse_recipe(text_of(recipe))), text_of(recipe));
  }
  EXPECT_EQ(text_of(parse_recipe(" awq|gptq  int4:128->awq ")), "awq | gptq int4:128 -> awq");
  EXPECT_EQ(text_of(parse_recipe("smoothquant(alpha=0.7)")), "smoothquant(smooth-alpha=0.7)");
}

TEST(RecipeString, NamesTheWordItsPlaceAndWhatIsKnown) {
  const struct {
    const char* text;
    std::vector<const char*> told;
  } kCases[] = {
      {"awq | gtpq int4", {"character 7", "\"gtpq\"", "did you mean gptq?", "hqq", "nf4"}},
      {"gptq int5x", {"character 6", "\"int5x\"", "int5"}},
      {"gptq int4:some", {"character 11", "\"some\" is not a group size"}},
      {"gptq int4:", {"character 11", "the line ends where a group size belongs"}},
      {"gptq -> gguf:Q4_KM", {"character 14", "type of gguf", "did you mean Q4_K_M?"}},
      {"gptq -> gtpq", {"character 9", "layout or type", "did you mean gptq?"}},
      {"gptq ->", {"character 8", "a layout or type belongs"}},
      {"smoothquant(aplha=1)", {"character 13", "option of smoothquant", "smooth-alpha"}},
      {"smoothquant(alpha=7)", {"character 19", "7 is not between 0 and 1"}},
      {"smoothquant(alpha)", {"character 18", "alpha has no value", "alpha=0.5"}},
      {"smoothquant(alpha=1", {"character 20", "do not end: the line does"}},
      {"gptq(damping=0.1 int4", {"character 18", "do not end", "\"i\" stands here"}},
      {"awq | awq", {"character 7", "awq was said already"}},
      {"gptq Q4_K", {"character 6", "Q4_K is a type", "-> Q4_K"}},
      {"gptq mlx", {"character 6", "mlx is a layout", "-> mlx"}},
      {"Q4_K", {"character 1", "Q4_K is a type"}},
      {"gptq int9", {"character 6", "did you mean int8?"}},
      {"gptq(drift=1)", {"character 6", "option of gptq"}},
      {"gptq | awq", {"character 8", "awq stands behind the last stage"}},
      {"gptq | hqq", {"character 8", "hqq stands behind the last stage"}},
      {"awq || gptq", {"character 6", "\"|\" stands where"}},
      {"gptq int4 int3", {"character 11", "\"int3\" was not expected"}},
      {"rtn -> awq awq", {"character 12", "was not expected"}},
      {"awq(steps=4, steps=5)", {"character 14", "awq-steps is 4 already"}},
      {"", {"says nothing"}},
  };
  for (const auto& [text, told] : kCases)
    for (const char* part : told)
      EXPECT_NE(refusal(text).find(part), std::string::npos) << text << ": " << refusal(text);
}

TEST(RecipeString, ListsEveryLayoutAndTypeOnce) {
  const std::string text = refusal("rtn -> nowhere");
  const auto first = text.find(" gptq,");
  ASSERT_NE(first, std::string::npos) << text;
  EXPECT_EQ(text.find(" gptq,", first + 1), std::string::npos) << text;
}

// An error from behind names the options that the line stands for.
TEST(RecipeString, ErrorsSpeakOfTheLine) {
  const RecipeString recipe = parse_recipe("awq(steps=4) | rtn int4:48 -> gptq");
  const auto told = [&](const char* message, const char* fix) {
    const Error error(ErrorKind::kInvalidArgument, message, fix);
    return std::string(in_words_of(recipe, error).what());
  };
  EXPECT_EQ(told("--group-size 48 divides nothing", "leave --group-size out, or take --grid int8"),
            "--recipe, character 25: the recipe's group 48 divides nothing\n"
            "  fix: leave group out, or take grid int8");
  EXPECT_EQ(told("--awq-steps 4 is little", "take more"),
            "--recipe, character 5: the recipe's awq-steps 4 is little\n  fix: take more");
  EXPECT_EQ(told("--skip finds nothing", "--force"), "--skip finds nothing\n  fix: --force");
}

}  // namespace
}  // namespace nibble::cli
