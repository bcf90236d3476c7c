// Types of single tensors on the demo model, as recipe, file and passport have them.
#include "quantize/types/choose_types.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "model/source.h"
#include "nibble/error.h"
#include "quantize/quantize.h"
#include "quantize/types/type_lines.h"
#include "quantize/verify.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::TempDir;

const fs::path kDemo = fs::path(kSourceFolder) / "assets" / "demo";

QuantizeOptions job(const std::string& type) {
  QuantizeOptions options;
  options.method = "rtn";
  options.layout = "gguf";
  options.dialect = type;
  return options;
}

std::vector<std::string> lines_of(const QuantizeOptions& options) {
  return type_lines(make_recipe(ModelSource(kDemo), options));
}

std::string refusal_of(const QuantizeOptions& options) {
  try {
    make_recipe(ModelSource(kDemo), options);
  } catch (const Error& problem) {
    return problem.what();
  }
  return {};
}

TEST(ChooseTypes, FollowsTheMix) {
  const auto lines = lines_of(job("Q4_K_M"));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_NE(lines[0].find("self_attn.v_proj 0-1, 3-4"), std::string::npos) << lines[0];
  EXPECT_NE(lines[1].find("Q6_K: self_attn.v_proj 2, 5; mlp.down_proj 2, 5"), std::string::npos);
  EXPECT_NE((lines[0] + lines[1]).find("embed_tokens"), std::string::npos);
}

TEST(ChooseTypes, GivesOneTypeToEverythingWhenPure) {
  QuantizeOptions options = job("Q4_K_M");
  options.types.pure = true;
  const auto lines = lines_of(options);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_TRUE(lines[0].starts_with("Q4_K: ")) << lines[0];
}

TEST(ChooseTypes, KnowsTensorsByEitherName) {
  QuantizeOptions options = job("Q4_K");
  options.types.tensors = {{"blk\\.0\\.attn_v", "Q8_0"}, {"layers\\.1\\.mlp\\.down", "f16"}};
  options.types.embedding = "q6_k";
  const auto recipe = make_recipe(ModelSource(kDemo), options);
  EXPECT_EQ(recipe.find(0, Role::kValue)->storable.blocks->name, "Q8_0");
  EXPECT_EQ(recipe.find(1, Role::kValue)->storable.blocks->name, "Q4_K");
  EXPECT_EQ(recipe.find(1, Role::kDown), nullptr);
  ASSERT_EQ(recipe.tensors.size(), 2u);
  EXPECT_EQ(name(recipe.tensors[0].type), "F16");
  EXPECT_EQ(name(recipe.tensors[1].type), "Q6_K");
}

TEST(ChooseTypes, RefusesWhatCannotBe) {
  QuantizeOptions options = job("Q4_K");
  options.types.tensors = {{"no_such_part", "Q8_0"}};
  EXPECT_NE(refusal_of(options).find("matches no module"), std::string::npos);
  options = job("NOTHING");
  options.types.mix = true;
  EXPECT_NE(refusal_of(options).find("is no mix"), std::string::npos);
  options = job("");
  options.types.pure = true;
  EXPECT_NE(refusal_of(options).find("--pure needs"), std::string::npos);
  options = job("gptq");
  options.layout = "gptq";
  options.types.embedding = "Q8_0";
  EXPECT_NE(refusal_of(options).find("for GGUF files"), std::string::npos);
}

TEST(ChooseTypes, WritesAFileThatItsPassportDescribes) {
  const TempDir folder;
  QuantizeOptions options = job("Q3_K_M");
  options.types.tensors = {{"blk\\.2\\.ffn_up", "F16"}};
  const auto result = quantize_model(kDemo, folder / "m.gguf", options, {}, false);
  ASSERT_GE(result.tensors.size(), 2u);
  for (const TensorReport& report : result.tensors) {
    EXPECT_LT(report.weight_error, 0.03) << report.tensor.name;
    EXPECT_GT(report.weight_error, 0) << report.tensor.name;
  }
  const VerifyResult verified = verify_checkpoint(folder / "m.gguf", kDemo);
  EXPECT_TRUE(verified.passed());
  const ModelSource written(folder / "m.gguf");
  const TensorInfo* up = written.checkpoint().find("model.layers.2.mlp.up_proj.weight");
  ASSERT_NE(up, nullptr);
  EXPECT_EQ(up->dtype, DType::kF16);
  const Json passport = read_passport(written);
  EXPECT_EQ(passport["recipe"]["mix"], "Q3_K_M");
  EXPECT_EQ(passport["tensors"].size(), result.tensors.size());
}

}  // namespace
}  // namespace nibble
