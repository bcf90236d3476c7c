#include "train/full/new_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "nibble/process.h"
#include "quantize/verify.h"
#include "support/error_text.h"
#include "support/paths.h"
#include "support/temp_dir.h"
#include "train/training_model.h"

namespace nibble {
namespace {

const fs::path kTokenizer = fs::path(kSourceFolder) / "assets" / "demo";

NewModelOptions small() {
  return {.tokenizer = kTokenizer,
          .hidden = 64,
          .layers = 3,
          .heads = 4,
          .kv_heads = 2,
          .context = 128,
          .seed = 5};
}

std::vector<float> values_of(const ModelSource& source, const std::string& name) {
  const TensorInfo& info = source.checkpoint().at(name);
  std::vector<float> values(info.bytes / sizeof(float));
  std::memcpy(values.data(), source.checkpoint().bytes(info).data(), info.bytes);
  return values;
}

double deviation(const std::vector<float>& values) {
  double squares = 0;
  for (const float v : values) squares += double{v} * double{v};
  return std::sqrt(squares / static_cast<double>(values.size()));
}

TEST(NewModel, IsWhatWasAskedForAndBeginsAtChance) {
  const test::TempDir folder;
  const NewModel made = make_new_model(folder / "new", small());
  const ModelSource source(folder / "new");
  EXPECT_TRUE(source.notes().empty());
  EXPECT_EQ(source.config()["architectures"][0], "LlamaForCausalLM");
  const HyperParams& hyper = source.hyper();
  EXPECT_EQ(hyper.hidden, 64u);
  EXPECT_EQ(hyper.kv_heads, 2u);
  EXPECT_EQ(hyper.head_dim, 16u);
  EXPECT_EQ(hyper.mlp_hidden, 192u);  // 170.7, up to a multiple of 32
  EXPECT_EQ(hyper.vocabulary, made.vocabulary);
  EXPECT_TRUE(hyper.tied_head);
  EXPECT_FALSE(hyper.eos.empty());
  std::uint64_t parameters = 0;
  for (const TensorInfo& info : source.checkpoint().tensors()) parameters += info.bytes / 4;
  EXPECT_EQ(parameters, made.parameters);
  EXPECT_EQ(plan_new_model(small()).parameters, made.parameters);

  for (const float gain : values_of(source, "model.layers.1.input_layernorm.weight"))
    EXPECT_EQ(gain, 1);
  const double added = 0.02 / std::sqrt(6.0);
  EXPECT_NEAR(deviation(values_of(source, "model.embed_tokens.weight")), 0.02, 2e-4);
  EXPECT_NEAR(deviation(values_of(source, "model.layers.0.mlp.gate_proj.weight")), 0.02, 6e-4);
  EXPECT_NEAR(deviation(values_of(source, "model.layers.2.mlp.down_proj.weight")), added, 3e-4);
  EXPECT_NEAR(deviation(values_of(source, "model.layers.2.self_attn.o_proj.weight")), added, 4e-4);

  TrainingBatch batch;
  for (int i = 0; i < 64; ++i) batch.ids.push_back((i * 37) % 4000);
  batch.labels.assign(batch.ids.begin() + 1, batch.ids.end());
  batch.labels.push_back(kNoLabel);
  batch.lengths = {batch.ids.size()};
  const double loss = TrainingModel(source).loss(batch, Compute::kFloat32).mean();
  const double chance = std::log(static_cast<double>(made.vocabulary));
  EXPECT_NEAR(loss, chance, 0.05 * chance);
  EXPECT_TRUE(verify_checkpoint(folder / "new", {}).passed());
}

TEST(NewModel, IsTheSameForASeedWithAnyNumberOfThreads) {
  const test::TempDir folder;
  const auto weights = [&](const char* name, std::uint64_t seed, int threads) {
    NewModelOptions options = small();
    options.seed = seed;
    set_threads(threads);
    make_new_model(folder / name, options);
    set_threads(0);
    return read_file(folder / name / "model.safetensors", 1u << 30);
  };
  const std::string one = weights("one", 5, 1);
  EXPECT_EQ(weights("three", 5, 3), one);
  EXPECT_NE(weights("other", 6, 1), one);
}

TEST(NewModel, HasAHeadOfItsOwnNormsOfHeadsAndSixteenBitsWhereAsked) {
  const test::TempDir folder;
  NewModelOptions options = small();
  options.architecture = "qwen3";
  options.head_dim = 32;
  options.tied_head = false;
  options.dtype = DType::kBF16;
  make_new_model(folder / "new", options);
  const ModelSource source(folder / "new");
  EXPECT_EQ(source.hyper().head_dim, 32u);
  EXPECT_FALSE(source.hyper().tied_head);
  EXPECT_EQ(source.checkpoint().at("lm_head.weight").dtype, DType::kBF16);
  EXPECT_EQ(source.block(2).query_norm, std::vector<float>(32, 1));

  // bfloat16 weights are the float32 ones, rounded.
  options.dtype = DType::kF32;
  options.replace = true;
  make_new_model(folder / "wide", options);
  const ModelSource wide(folder / "wide");
  Tensor a(7, 64), b(7, 64);
  source.head()->decode(3, a.view());
  wide.head()->decode(3, b.view());
  for (std::size_t i = 0; i < a.size(); ++i)
    EXPECT_NEAR(a.data()[i], b.data()[i], std::abs(b.data()[i]) / 256);
}

TEST(NewModel, TakesATokenizerFileWithItsSettings) {
  const test::TempDir folder;
  NewModelOptions options = small();
  options.tokenizer = kTokenizer / "tokenizer.json";
  make_new_model(folder / "new", options);
  EXPECT_EQ(read_file(folder / "new" / "tokenizer_config.json", 1u << 20),
            read_file(kTokenizer / "tokenizer_config.json", 1u << 20));
  EXPECT_FALSE(ModelSource(folder / "new").hyper().eos.empty());
}

TEST(NewModel, RefusesWhatMakesNoSense) {
  const auto refusal = [](auto change) {
    NewModelOptions options = small();
    change(options);
    return test::error_text([&] { plan_new_model(options); });
  };
  using Options = NewModelOptions;
  EXPECT_NE(refusal([](Options& o) { o.heads = 5; }).find("key-value heads"), std::string::npos);
  EXPECT_NE(refusal([](Options& o) { o.hidden = 66; }).find("do not divide"), std::string::npos);
  EXPECT_NE(refusal([](Options& o) { o.hidden = 60; }).find("in pairs"), std::string::npos);
  EXPECT_NE(refusal([](Options& o) { o.layers = 0; }).find("above 0"), std::string::npos);
  EXPECT_NE(refusal([](Options& o) { o.context = 1; }).find("context"), std::string::npos);
  EXPECT_NE(refusal([](Options& o) { o.dtype = DType::kF16; }).find("BF16"), std::string::npos);
  EXPECT_NE(refusal([](Options& o) { o.architecture = "gemma3"; }).find("qwen3"),
            std::string::npos);
  EXPECT_NE(refusal([](Options& o) { o.architecture = "mistral"; }).find("windows"),
            std::string::npos);
  EXPECT_NE(refusal([](Options& o) { o.tokenizer = "nowhere"; }).find("nowhere"),
            std::string::npos);
}

}  // namespace
}  // namespace nibble
