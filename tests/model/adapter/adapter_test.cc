// Adapters as PEFT saved them against the logits that PEFT computes
// (scripts/make_golden_adapters.py).
#include "model/adapter/adapter.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "model/adapter/adapter_writer.h"
#include "model/golden_model.h"
#include "model/logits_of.h"
#include "model/transformer.h"
#include "support/error_text.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

namespace fs = std::filesystem;

const fs::path kAdapters = fs::path(kSourceFolder) / "tests/golden/adapter";

std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kAdapters))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string model_of(const std::string& name) {
  std::string text = read_file(kAdapters / name / "model", 100);
  return text.substr(0, text.find('\n'));
}

Tensor logits_with(const std::string& model, const fs::path& adapter) {
  return test::logits_of(test::kGoldenModels / model, test::golden_logits(model).ids, adapter);
}

class GoldenAdapter : public testing::TestWithParam<std::string> {};

TEST_P(GoldenAdapter, GivesTheLogitsOfPeft) {
  const auto reader = open_checkpoint(kAdapters / GetParam() / "expected.safetensors");
  const TensorInfo& info = reader->at("logits");
  Tensor expected(static_cast<std::size_t>(info.shape[0]), static_cast<std::size_t>(info.shape[1]));
  std::memcpy(expected.data(), reader->bytes(info).data(), info.bytes);
  const std::string model = model_of(GetParam());
  const Tensor found = logits_with(model, kAdapters / GetParam());
  EXPECT_LT(test::relative_error(found.view(), expected.view()), 2e-5);
  // It does something.
  EXPECT_GT(test::relative_error(test::golden_logits(model).logits.view(), expected.view()), 1e-2);
}

// One token at a time as all at once, through the cache.
TEST_P(GoldenAdapter, GivesTheSameTokenByToken) {
  const std::string name = model_of(GetParam());
  const auto ids = test::golden_logits(name).ids;
  const ModelSource source(test::kGoldenModels / name, kAdapters / GetParam());
  const Transformer model(source);
  const Tensor whole = logits_with(name, kAdapters / GetParam());
  KvCache cache(model.hyper(), ids.size());
  for (std::size_t t = 0; t < ids.size(); ++t) {
    auto row = model.extend(cache, std::span(&ids[t], 1), Compute::kFloat32);
    EXPECT_LT(test::relative_error(Matrix(row.data(), 1, row.size()), whole.view().rows_at(t, 1)),
              1e-4);
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenAdapter, testing::ValuesIn(cases()),
                         [](const auto& one) { return one.param; });

// Decoded rows are what merging gives: the layer as a plain one computes the same.
TEST(LoraLinear, DecodesWhatItComputes) {
  for (const std::string& name : cases()) {
    const ModelSource source(test::kGoldenModels / model_of(name), kAdapters / name);
    const Block block = source.block(1);
    for (const auto& layer : block.linears) {
      Tensor weight(layer->outputs(), layer->inputs()), x(6, layer->inputs());
      layer->decode(0, weight.view());
      for (std::size_t i = 0; i < x.size(); ++i)
        x.data()[i] = static_cast<float>(static_cast<double>(i * 7919 % 101) / 50 - 1);
      Tensor y(6, layer->outputs());
      layer->forward(x.view(), y.view(), Compute::kFloat32);
      for (std::size_t t = 0; t < 6; ++t)
        for (std::size_t o = 0; o < y.columns(); ++o) {
          double sum = layer->bias() == nullptr ? 0 : layer->bias()[o];
          for (std::size_t i = 0; i < x.columns(); ++i)
            sum += static_cast<double>(x.view()(t, i)) * weight.view()(o, i);
          ASSERT_NEAR(y.view()(t, o), sum, 1e-4) << name;
        }
    }
  }
}

// float32 as numpy writes it: a header, then the values row by row.
Tensor numpy_floats(const fs::path& file, std::size_t rows, std::size_t columns) {
  const std::string bytes = read_file(file, 64u << 20);
  Tensor out(rows, columns);
  std::memcpy(out.data(), bytes.data() + bytes.size() - 4 * out.size(), 4 * out.size());
  return out;
}

// A real adapter of a real model, where both are at hand.
TEST(SharedAdapter, GivesTheLogitsOfPeft) {
  const fs::path shared = fs::path(kSourceFolder) / ".." / "shared";
  const fs::path model = shared / "models/ref8m", adapter = shared / "peers/ref8m-lora-r8";
  if (!fs::exists(adapter)) GTEST_SKIP() << "no such adapter here";
  const Json file = read_json(adapter / "input_ids.json");
  const auto ids = file["input_ids"].get<std::vector<std::int32_t>>();
  const Tensor logits = test::logits_of(model, ids, adapter);
  const Tensor expected =
      numpy_floats(adapter / "logits_base_plus_adapter.npy", ids.size(), logits.columns());
  EXPECT_LT(test::relative_error(logits.view(), expected.view()), 1e-4);
}

TEST(AdapterWriter, WritesWhatIsRead) {
  const Adapter adapter = read_adapter(kAdapters / "dora");
  const test::TempDir folder;
  write_adapter(folder.path(), adapter, {.base_model = "tiny", .alpha = 6});
  const Tensor expected = logits_with("llama_biases", kAdapters / "dora");
  const Tensor found = logits_with("llama_biases", folder.path());
  EXPECT_EQ(test::relative_error(found.view(), expected.view()), 0);
  const Json config = read_json(folder / "adapter_config.json");
  EXPECT_EQ(config["r"], 3);
  EXPECT_EQ(config["use_dora"], true);
  EXPECT_EQ(config["base_model_name_or_path"], "tiny");
  EXPECT_EQ(config["target_modules"].size(), 7u);
}

// A copy of a golden adapter with another config.
class ChangedAdapter {
 public:
  explicit ChangedAdapter(const std::string& name, const std::function<void(Json&)>& change) {
    for (const char* file : {"adapter_config.json", "adapter_model.safetensors"})
      fs::copy_file(kAdapters / name / file, folder_ / file);
    Json config = read_json(folder_ / "adapter_config.json");
    change(config);
    write_file(folder_ / "adapter_config.json", config.dump());
  }
  std::string refusal(const std::string& model = "llama_groups") const {
    return test::error_text([&] { ModelSource(test::kGoldenModels / model, folder_.path()); });
  }

 private:
  test::TempDir folder_;
};

TEST(Adapter, RefusesByNameWhatItDoesNotRead) {
  const auto refusal = [](const char* key, const Json& value) {
    return ChangedAdapter("plain", [&](Json& config) { config[key] = value; }).refusal();
  };
  EXPECT_NE(refusal("peft_type", "IA3").find("\"IA3\""), std::string::npos);
  EXPECT_NE(refusal("fan_in_fan_out", true).find("fan_in_fan_out"), std::string::npos);
  EXPECT_NE(refusal("bias", "all").find("biases"), std::string::npos);
  EXPECT_NE(refusal("modules_to_save", Json::array({"lm_head"})).find("modules_to_save"),
            std::string::npos);
  EXPECT_NE(refusal("target_parameters", Json::array({"experts"})).find("target_parameters"),
            std::string::npos);
  EXPECT_NE(refusal("r", "four").find("r"), std::string::npos);
  EXPECT_NE(refusal("r", 5).find("has rank 4; adapter_config.json says 5"), std::string::npos);
  // Keys of newer releases that say how it was made.
  EXPECT_EQ(refusal("some_new_config", nullptr), "");
  EXPECT_EQ(refusal("corda_config", Json::object()), "");
}

TEST(Adapter, IsRefusedByAModelThatItIsNotFor) {
  const ChangedAdapter plain("plain", [](Json&) {});
  const std::string shapes = plain.refusal("llama_heads");
  EXPECT_NE(shapes.find("the layer is"), std::string::npos) << shapes;
  const ChangedAdapter norms("norms", [](Json&) {});
  const std::string missing = norms.refusal("llama_groups");
  EXPECT_NE(missing.find("which this model does not have"), std::string::npos) << missing;
  EXPECT_NE(missing.find("layers.2."), std::string::npos) << missing;
}

TEST(Adapter, NamesWhatIsMissing) {
  const test::TempDir empty;
  const auto text = [&] { return test::error_text([&] { read_adapter(empty.path()); }); };
  EXPECT_NE(text().find("adapter_config.json does not exist"), std::string::npos);
  fs::copy_file(kAdapters / "plain/adapter_config.json", empty / "adapter_config.json");
  EXPECT_NE(text().find("adapter_model.safetensors"), std::string::npos);
  write_file(empty / "adapter_model.bin", "x");
  EXPECT_NE(text().find("pickle"), std::string::npos);
}

TEST(Adapter, ScalesByRankOrItsRoot) {
  EXPECT_EQ(adapter_scale(32, 16, false), 2);
  EXPECT_EQ(adapter_scale(32, 16, true), 8);
  EXPECT_EQ(plain_module("model.language_model.layers.3.mlp.up_proj"), "layers.3.mlp.up_proj");
  EXPECT_EQ(plain_module("model.embed_tokens"), "embed_tokens");
  EXPECT_EQ(plain_module("lm_head"), "lm_head");
}

}  // namespace
}  // namespace nibble
