#include "model/onnx/model_of.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "model/golden_model.h"
#include "nn/rope.h"
#include "support/error_text.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::error_text;
using test::kGoldenModels;

std::vector<TensorInfo> tensors_of(const ModelSource& source) {
  const auto tensors = source.checkpoint().tensors();
  return {tensors.begin(), tensors.end()};
}

OnnxModel model_of(const ModelSource& source) {
  return onnx_model_of(
      source, tensors_of(source),
      [](OnnxModel& model, const OnnxMatrix& matrix, const std::string& input,
         const std::string& output) {
        model.nodes.push_back({"Product", "", {input, matrix.module + ".weight"}, {output}});
      });
}

// Golden models have heads that ONNX Runtime does not take. The tensors of these fit a config of
// half as many heads, twice as long.
class Source {
 public:
  explicit Source(const std::string& name) {
    test::write_changed_model(name, dir_.path(), [](Json& config) {
      for (const char* key : {"num_attention_heads", "num_key_value_heads"})
        config[key] = config[key].get<int>() / 2;
      config["head_dim"] = 16;
    });
    source_.emplace(dir_.path());
  }
  const ModelSource& operator*() const { return *source_; }

 private:
  test::TempDir dir_;
  std::optional<ModelSource> source_;
};

void expect_whole(const ModelSource& source, const OnnxModel& model) {
  std::set<std::string> known = {""}, left_out(model.left_out.begin(), model.left_out.end());
  for (const OnnxValue& input : model.inputs) known.insert(input.name);
  for (const OnnxModel::Own& own : model.own) known.insert(own.info.name);
  std::set<std::string> unused;
  for (const TensorInfo& info : tensors_of(source))
    if (!left_out.contains(info.name)) {
      known.insert(info.name);
      unused.insert(info.name);
    }
  for (const OnnxNode& node : model.nodes) {
    for (const std::string& input : node.inputs) {
      EXPECT_TRUE(known.contains(input)) << node.op << " reads " << input;
      unused.erase(input);
    }
    for (const std::string& output : node.outputs)
      if (!output.empty()) {
        EXPECT_TRUE(known.insert(output).second) << output << " is made twice";
      }
  }
  EXPECT_TRUE(unused.empty()) << *unused.begin();
  for (const OnnxValue& output : model.outputs) EXPECT_TRUE(known.contains(output.name));
  for (const auto& [name, added] : model.as_float32)
    EXPECT_NE(source.checkpoint().find(name), nullptr) << name;
}

TEST(OnnxModelOf, EveryNodeReadsWhatIsThereAndEveryTensorIsRead) {
  for (const char* name : {"llama_heads", "llama_groups", "llama_biases", "llama_linear", "qwen2",
                           "qwen2_late_window"}) {
    SCOPED_TRACE(name);
    const Source source(name);
    expect_whole(*source, model_of(*source));
  }
  for (const char* name : {"llama_scaled_tied", "llama_yarn"}) {
    SCOPED_TRACE(name);
    const ModelSource source(kGoldenModels / name);
    expect_whole(source, model_of(source));
  }
}

std::size_t count(const OnnxModel& model, const std::string& op) {
  return static_cast<std::size_t>(std::count_if(
      model.nodes.begin(), model.nodes.end(), [&](const OnnxNode& node) { return node.op == op; }));
}

TEST(OnnxModelOf, HasAnOperatorForEachPartOfALayer) {
  const Source source("llama_biases");
  const OnnxModel model = model_of(*source);
  EXPECT_EQ(count(model, "Product"), 2 * 7 + 1u);
  EXPECT_EQ(count(model, "GroupQueryAttention"), 2u);
  EXPECT_EQ(count(model, "RMSNormalization"), 1u);  // the first, which has no sum
  EXPECT_EQ(count(model, "SkipSimplifiedLayerNormalization"), 4u);
  EXPECT_EQ(count(model, "Sigmoid"), 2u);
  EXPECT_EQ(count(model, "Add"), 2 * 7u);  // biases
  EXPECT_EQ(model.inputs.size(), 2 + 2 * 2u);
  EXPECT_EQ(model.outputs.size(), 1 + 2 * 2u);
}

float scale_of(const OnnxModel& model) {
  for (const OnnxNode& node : model.nodes)
    for (const OnnxAttribute& attribute : node.attributes)
      if (attribute.name == "scale") return std::get<float>(attribute.value);
  return 0;
}

TEST(OnnxModelOf, PositionsTurnAsTheyDoHere) {
  const ModelSource source(kGoldenModels / "llama_yarn");
  const OnnxModel model = model_of(source);
  const HyperParams& hyper = source.hyper();
  const RopeTable table(hyper.rope.frequencies, 0, hyper.context);
  std::size_t seen = 0;
  for (const OnnxModel::Own& own : model.own) {
    const bool cosines = own.info.name == "rope.cosines";
    if (!cosines && own.info.name != "rope.sines") continue;
    const Tensor& expected = cosines ? table.cosines : table.sines;
    ASSERT_EQ(own.bytes.size(), 4 * expected.size());
    EXPECT_EQ(std::memcmp(own.bytes.data(), expected.data(), own.bytes.size()), 0);
    EXPECT_FALSE(own.in_graph);
    ++seen;
  }
  EXPECT_EQ(seen, 2u);
  const double grown = hyper.rope.attention_factor;
  EXPECT_GT(grown, 1.01);
  EXPECT_FLOAT_EQ(scale_of(model), static_cast<float>(0.25 * grown * grown));
}

TEST(OnnxModelOf, ATiedHeadIsTheEmbedding) {
  const ModelSource source(kGoldenModels / "llama_scaled_tied");
  const OnnxModel model = model_of(source);
  EXPECT_EQ(model.nodes.back().outputs.front(), "logits");
  EXPECT_EQ(model.nodes.back().inputs[1], "model.embed_tokens.weight");
}

TEST(OnnxModelOf, OnlyLateLayersHaveAWindow) {
  const Source source("qwen2_late_window");
  std::vector<bool> windows;
  for (const OnnxNode& node : model_of(*source).nodes)
    if (node.op == "GroupQueryAttention")
      windows.push_back(node.attributes.back().name == "local_window_size");
  EXPECT_EQ(windows, (std::vector<bool>{false, true}));
}

TEST(OnnxModelOf, HeadsOfAnotherSizeAreRefused) {
  for (const char* name : {"llama_groups", "qwen3", "gemma3"}) {
    const ModelSource source(kGoldenModels / name);
    EXPECT_NE(error_text([&] { model_of(source); }).find("this model's have "), std::string::npos);
  }
}

TEST(OnnxModelOf, TellsGenaiItsSizes) {
  const Source source("llama_groups");
  const OnnxModel model = model_of(*source);
  ASSERT_EQ(model.files.size(), 1u);
  EXPECT_EQ(model.files.front().first, "genai_config.json");
  const Json config = parse_json(model.files.front().second);
  EXPECT_EQ(config["model"]["type"], "llama");
  EXPECT_EQ(config["model"]["vocab_size"], 80);
  EXPECT_EQ(config["model"]["bos_token_id"], 1);
  EXPECT_EQ(config["model"]["eos_token_id"], (Json{2, 3}));
  const Json& decoder = config["model"]["decoder"];
  EXPECT_EQ(decoder["head_size"], 16);
  EXPECT_EQ(decoder["num_key_value_heads"], 1);
  EXPECT_EQ(decoder["num_hidden_layers"], 2);
}

}  // namespace
}  // namespace nibble
