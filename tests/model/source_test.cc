#include "model/source.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "model/golden_model.h"
#include "model/transformer.h"
#include "nibble/error.h"
#include "support/allocation.h"
#include "support/error_text.h"
#include "support/mutate.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::error_kind;
using test::error_text;
using test::kGoldenModels;
using test::TempDir;

// Copies the tensors of a golden model under other names; those renamed to "" are left out.
void write_renamed_model(const std::string& name, const std::filesystem::path& folder,
                         const std::function<std::string(const std::string&)>& renamed) {
  const auto reader = open_checkpoint(kGoldenModels / name);
  std::vector<TensorInfo> infos;
  std::vector<const TensorInfo*> originals;
  for (const TensorInfo& info : reader->tensors()) {
    TensorInfo other = info;
    other.name = renamed(info.name);
    if (other.name.empty()) continue;
    infos.push_back(other);
    originals.push_back(&info);
  }
  const auto writer = create_checkpoint(folder, infos);
  for (std::size_t i = 0; i < infos.size(); ++i)
    writer->add(infos[i].name, reader->bytes(*originals[i]));
  writer->finish();
  std::filesystem::copy_file(kGoldenModels / name / "config.json", folder / "config.json");
}

double golden_error(const std::filesystem::path& folder, const std::string& name) {
  const ModelSource source(folder);
  const Transformer model(source);
  const auto golden = test::golden_logits(name);
  Tensor hidden(golden.ids.size(), model.hyper().hidden);
  model.hidden_states(golden.ids, golden.ids.size(), hidden.view(), Compute::kFloat32);
  Tensor logits(golden.ids.size(), model.hyper().vocabulary);
  model.logits(hidden.view(), logits.view(), Compute::kFloat32);
  return test::relative_error(logits.view(), golden.logits.view());
}

TEST(ModelSource, TakesNamesWithoutModelInFront) {
  const TempDir folder;
  write_renamed_model("llama_groups", folder.path(), [](const std::string& name) {
    return name.starts_with("model.") ? name.substr(6) : name;
  });
  EXPECT_LE(golden_error(folder.path(), "llama_groups"), 1e-4);
}

TEST(ModelSource, MissesABiasThatTheArchitectureHas) {
  const TempDir folder;
  write_renamed_model("qwen2_late_window", folder.path(), [](const std::string& name) {
    return name == "model.layers.1.self_attn.q_proj.bias" ? "" : name;
  });
  // Qwen2 needs that bias; nothing may stand in for it.
  EXPECT_NE(error_text([&] {
              ModelSource source(folder.path());
            }).find("model.layers.1.self_attn.q_proj.bias"),
            std::string::npos);
}

TEST(ModelSource, SkipsTensorsThatTheModelDoesNotUse) {
  const TempDir folder;
  // Qwen2's biases mean nothing to Llama.
  test::write_changed_model("qwen2_late_window", folder.path(),
                            [](Json& config) { config["architectures"] = {"LlamaForCausalLM"}; });
  EXPECT_EQ(ModelSource(folder.path()).block(0).linear(Role::kQuery).bias(), nullptr);
}

TEST(ModelSource, UsesTheEmbeddingWhereThereIsNoHead) {
  const TempDir folder;
  write_renamed_model("llama_groups", folder.path(),
                      [](const std::string& name) { return name == "lm_head.weight" ? "" : name; });
  const ModelSource source(folder.path());
  EXPECT_TRUE(source.hyper().tied_head);
  Tensor head(1, source.hyper().hidden), embedding(1, source.hyper().hidden);
  source.head()->decode(5, head.view());
  source.embedding()->decode(5, embedding.view());
  EXPECT_EQ(test::relative_error(head.view(), embedding.view()), 0);
}

TEST(ModelSource, ATiedModelIgnoresAHeadOfItsOwn) {
  const TempDir folder;
  test::write_changed_model("llama_groups", folder.path(),
                            [](Json& config) { config["tie_word_embeddings"] = true; });
  const ModelSource source(folder.path());
  Tensor head(1, source.hyper().hidden), embedding(1, source.hyper().hidden);
  source.head()->decode(5, head.view());
  source.embedding()->decode(5, embedding.view());
  EXPECT_EQ(test::relative_error(head.view(), embedding.view()), 0);
}

TEST(ModelSource, SaysWhichTensorHasWhichShapeInsteadOfWhich) {
  const TempDir folder;
  test::write_changed_model("llama_groups", folder.path(),
                            [](Json& config) { config["intermediate_size"] = 56; });
  const std::string text = error_text([&] { ModelSource source(folder.path()); });
  EXPECT_NE(text.find("model.layers.0.mlp.gate_proj.weight"), std::string::npos) << text;
  EXPECT_NE(text.find("[48, 32]"), std::string::npos) << text;
  EXPECT_NE(text.find("[56, 32]"), std::string::npos) << text;
}

TEST(ModelSource, MissesALayerBeforeAnyWork) {
  const TempDir folder;
  test::write_changed_model("llama_groups", folder.path(),
                            [](Json& config) { config["num_hidden_layers"] = 3; });
  EXPECT_NE(error_text([&] { ModelSource source(folder.path()); }).find("model.layers.2."),
            std::string::npos);
}

TEST(ModelSource, NamesAQuantizationItCannotRead) {
  const TempDir folder;
  test::write_changed_model("llama_groups", folder.path(), [](Json& config) {
    config["quantization_config"] = {{"quant_method", "quip"}};
  });
  EXPECT_EQ(error_kind([&] { ModelSource source(folder.path()); }), ErrorKind::kUnsupported);
  EXPECT_NE(error_text([&] { ModelSource source(folder.path()); }).find("quip"), std::string::npos);
}

TEST(ModelSource, SurvivesTwoThousandDamagedConfigs) {
  const TempDir folder;
  const auto& file = folder.path() / "config.json";
  test::write_changed_model("qwen3", folder.path(), [](Json&) {});
  const std::string valid = read_file(kGoldenModels / "qwen3" / "config.json", 1 << 20);
  const auto golden = test::golden_logits("qwen3");
  const std::vector<std::int32_t> ids(golden.ids.begin(), golden.ids.begin() + 6);
  const std::size_t files = std::filesystem::file_size(folder / "model.safetensors");
  std::size_t ran = 0;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    Random random(seed);
    const std::string damaged = test::mutated_json(valid, random);
    write_file(file, damaged);
    const test::AllocationPeak peak;
    try {
      const ModelSource source(folder.path());
      const Transformer model(source);
      KvCache cache(source.hyper(), ids.size());
      model.extend(cache, ids, Compute::kFloat32);
      ++ran;
    } catch (const Error&) {  // refused: fine
    }
    ASSERT_LE(peak.bytes(), 2 * (files + damaged.size()) + (std::size_t{64} << 20)) << seed;
  }
  // Some damage lies in keys that nobody reads; most must be refused.
  EXPECT_GT(ran, 0u);
  EXPECT_LT(ran, 1200u);
}

}  // namespace
}  // namespace nibble
