#include "model/source.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/random.h"
#include "base/text.h"
#include "model/golden_model.h"
#include "model/transformer.h"
#include "nibble/error.h"
#include "support/allocation.h"
#include "support/edited_model.h"
#include "support/error_text.h"
#include "support/mutate.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::error_kind;
using test::error_text;
using test::kGoldenModels;
using test::TempDir;

void write_renamed_model(const std::string& name, const std::filesystem::path& folder,
                         const std::function<std::string(const std::string&)>& renamed) {
  test::EditedModel model(kGoldenModels / name);
  model.rename(renamed);
  model.write(folder);
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

TEST(ModelSource, SaysWhichTensorHasWhichShapeInsteadOfWhich) {
  const TempDir folder;
  test::write_changed_model("llama_groups", folder.path(),
                            [](Json& config) { config["hidden_size"] = 40; });
  const std::string text = error_text([&] { ModelSource source(folder.path()); });
  EXPECT_NE(text.find("model.embed_tokens.weight"), std::string::npos) << text;
  EXPECT_NE(text.find("[80, 32]"), std::string::npos) << text;
  EXPECT_NE(text.find("[80, 40]"), std::string::npos) << text;
  EXPECT_TRUE(text.starts_with((folder.path() / "model.safetensors").string())) << text;
}

TEST(ModelSource, MissesALayerBeforeAnyWork) {
  const TempDir folder;
  test::write_changed_model("llama_groups", folder.path(),
                            [](Json& config) { config["num_hidden_layers"] = 3; });
  EXPECT_NE(error_text([&] { ModelSource source(folder.path()); }).find("model.layers.2."),
            std::string::npos);
}

// MLX quantizes the embedding too. Its rows are 32 weights long here, one group each.
TEST(ModelSource, AQuantizedEmbeddingGivesItsRows) {
  const TempDir folder;
  test::EditedModel model(kGoldenModels / "llama_groups");
  auto entry = model.tensors.at("model.embed_tokens.weight");
  const auto rows = static_cast<std::size_t>(entry.info.shape[0]);
  const auto set = [&](const char* name, DType type, std::int64_t columns, auto values) {
    entry.info.dtype = type;
    entry.info.shape = {static_cast<std::int64_t>(rows), columns};
    entry.bytes.resize(values.size() * 4);
    std::memcpy(entry.bytes.data(), values.data(), entry.bytes.size());
    entry.info.bytes = entry.bytes.size();
    model.tensors[cat("model.embed_tokens.", name)] = entry;
  };
  set("weight", DType::kU32, 4, std::vector<std::uint32_t>(rows * 4, 0x76543210));
  std::vector<float> scales(rows), biases(rows, -1);
  for (std::size_t r = 0; r < rows; ++r) scales[r] = static_cast<float>(r);
  set("scales", DType::kF32, 1, scales);
  set("biases", DType::kF32, 1, biases);
  model.config["quantization"] = {{"group_size", 32}, {"bits", 4}};
  model.write(folder.path());
  const ModelSource source(folder.path());
  const auto embedding = source.embedding();
  ASSERT_EQ(embedding->outputs(), rows);
  Tensor row(1, 32);
  for (const std::size_t r : {std::size_t{0}, std::size_t{19}, rows - 1}) {
    embedding->decode(r, row.view());
    for (std::size_t i = 0; i < 32; ++i)
      EXPECT_NEAR(row.data()[i], static_cast<float>(r * (i % 8)) - 1, 1e-4) << r << " " << i;
  }
}

TEST(ModelSource, NamesAQuantizationItCannotRead) {
  const TempDir folder;
  test::write_changed_model("llama_groups", folder.path(), [](Json& config) {
    config["quantization_config"] = {{"quant_method", "quip"}};
  });
  EXPECT_EQ(error_kind([&] { ModelSource source(folder.path()); }), ErrorKind::kUnsupported);
  EXPECT_NE(error_text([&] { ModelSource source(folder.path()); }).find("QuIP"), std::string::npos);
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
