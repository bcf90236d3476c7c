#include "model/tensor_names.h"

#include <gtest/gtest.h>

#include "model/golden_model.h"
#include "model/source.h"
#include "model/transformer.h"
#include "nibble/error.h"
#include "support/edited_model.h"
#include "support/error_text.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::kGoldenModels;
using test::TempDir;

void write_renamed(const std::filesystem::path& folder,
                   const std::function<std::string(const std::string&)>& renamed) {
  test::EditedModel model(kGoldenModels / "llama_groups");
  model.rename(renamed);
  model.write(folder);
}

double golden_error(const std::filesystem::path& folder) {
  const ModelSource source(folder);
  const Transformer model(source);
  const auto golden = test::golden_logits("llama_groups");
  Tensor hidden(golden.ids.size(), model.hyper().hidden);
  model.hidden_states(golden.ids, golden.ids.size(), hidden.view(), Compute::kFloat32);
  Tensor logits(golden.ids.size(), model.hyper().vocabulary);
  model.logits(hidden.view(), logits.view(), Compute::kFloat32);
  return test::relative_error(logits.view(), golden.logits.view());
}

TEST(TensorNames, AreThoseOfTheCheckpointWhateverStandsInFront) {
  for (const test::Wrapping& wrapping : test::kWrappings) {
    const TempDir folder;
    write_renamed(folder.path(), wrapping);
    const ModelSource source(folder.path());
    EXPECT_EQ(source.names().module(1, Role::kDown), wrapping.body + "layers.1.mlp.down_proj");
    EXPECT_EQ(source.names().embedding(), wrapping.body + "embed_tokens");
    EXPECT_EQ(source.names().head(), wrapping.outer + "lm_head");
    EXPECT_FALSE(source.hyper().tied_head) << wrapping.body;
    EXPECT_LE(golden_error(folder.path()), 1e-4) << wrapping.body;
  }
}

TEST(TensorNames, LeadToTheHalfThatIsMissing) {
  const TempDir folder;
  write_renamed(folder.path(), [](const std::string& name) {
    return name == "model.layers.1.mlp.down_proj.weight" ? name : "module." + name;
  });
  EXPECT_NE(test::error_text([&] {
              ModelSource source(folder.path());
            }).find("module.model.layers.1.mlp.down_proj"),
            std::string::npos);
}

TEST(TensorNames, OfTwoModelsInOneCheckpointAreRefused) {
  const TempDir folder;
  write_renamed(folder.path(), [](const std::string& name) {
    if (name == "model.layers.0.input_layernorm.weight") return "student." + name;
    if (name == "model.layers.1.input_layernorm.weight")
      return std::string("teacher.model.layers.0.input_layernorm.weight");
    return name;
  });
  const auto open = [&] { ModelSource source(folder.path()); };
  EXPECT_EQ(test::error_kind(open), ErrorKind::kUnsupported);
  EXPECT_NE(test::error_text(open).find("student.model.layers.0"), std::string::npos);
  EXPECT_NE(test::error_text(open).find("teacher.model.layers.0"), std::string::npos);
}

TEST(TensorNames, WithoutALayerAreTheUsualOnes) {
  const TempDir folder;
  write_renamed(folder.path(), [](const std::string& name) {
    return name.find("input_layernorm") == name.npos ? name : "";
  });
  EXPECT_NE(test::error_text([&] {
              ModelSource source(folder.path());
            }).find("model.layers.0.input_layernorm.weight"),
            std::string::npos);
}

}  // namespace
}  // namespace nibble
