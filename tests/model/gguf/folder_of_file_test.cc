// Golden models as GGUF files, and those as folders: the logits are still those of transformers.
#include "model/gguf/folder_of_file.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "checkpoint/gguf_writer.h"
#include "checkpoint/plain_folder.h"
#include "model/gguf/model_of.h"
#include "model/golden_model.h"
#include "model/logits_of.h"
#include "support/error_text.h"
#include "support/gguf_file.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::error_text;
using test::logits_of;
using test::TempDir;

constexpr const char* kTokenizer = R"({
  "added_tokens": [], "normalizer": null, "post_processor": null,
  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
  "decoder": {"type": "ByteLevel"},
  "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}})";

// A golden model, its GGUF file, and the folder made of that.
class ThereAndBack {
 public:
  explicit ThereAndBack(
      const std::string& name, const std::function<void(Json&)>& change = [](Json&) {}) {
    for (const char* folder : {"original", "file"}) fs::create_directory(dir_ / folder);
    test::write_changed_model(name, dir_ / "original", change);
    write_file(dir_ / "original" / "tokenizer.json", kTokenizer);
    const ModelSource source(dir_ / "original");
    const auto tensors = source.checkpoint().tensors();
    OutputModel output;
    output.tensors.assign(tensors.begin(), tensors.end());
    std::vector<std::string> ignored;
    output.gguf = [&] { return gguf_model_of(source, output.tensors, ignored); };
    const auto writer = create_gguf(file(), output, 0, {});
    for (const TensorInfo& info : tensors) writer->add(info.name, source.checkpoint().bytes(info));
    writer->finish(Json::object());
  }

  fs::path file() const { return dir_ / "file" / "model.gguf"; }
  fs::path original() const { return dir_ / "original"; }
  fs::path folder() const { return dir_ / "folder"; }

  void write_folder() {
    const ModelSource source(file());
    const FolderOfFile folder = folder_of_gguf(source, notes);
    OutputModel output;
    output.side_files = folder.files;
    output.config = &folder.config;
    for (const TensorInfo& info : source.checkpoint().tensors())
      if (!left_out_of_folder(info)) output.tensors.push_back(folder_info(source, info));
    const auto writer = create_plain_folder(dir_ / "folder", output, {});
    for (const TensorInfo& info : source.checkpoint().tensors()) {
      if (left_out_of_folder(info)) continue;
      std::vector<std::byte> room, turned;
      writer->add(info.name, folder_bytes(source, info, source.bytes(info, room), turned));
    }
    writer->finish(Json::object());
  }

  std::vector<std::string> notes;

 private:
  TempDir dir_;
};

class GoldenFolder : public testing::TestWithParam<const char*> {};

TEST_P(GoldenFolder, GivesTheGoldenLogits) {
  ThereAndBack model(GetParam());
  model.write_folder();
  EXPECT_TRUE(model.notes.empty()) << model.notes.front();
  const auto golden = test::golden_logits(GetParam());
  EXPECT_LE(
      test::relative_error(logits_of(model.folder(), golden.ids).view(), golden.logits.view()),
      1e-4);
  // Every key that decides about the numbers is as the original has it.
  const Json before = read_json(model.original() / "config.json"),
             after = read_json(model.folder() / "config.json");
  for (const char* key : {"architectures", "model_type", "hidden_size", "intermediate_size",
                          "num_hidden_layers", "num_attention_heads", "num_key_value_heads"})
    EXPECT_EQ(after[key], before[key]) << key;
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenFolder,
                         testing::Values("llama_groups", "llama_heads", "llama_biases",
                                         "llama_linear", "llama_scaled_tied", "llama_yarn", "qwen2",
                                         "qwen3"),
                         [](const auto& one) { return std::string(one.param); });

TEST(FolderOfGguf, TakesTheOneOffGemmasGains) {
  ThereAndBack model("gemma3", [](Json& config) {
    config["query_pre_attn_scalar"] = config["head_dim"];
    config["sliding_window_pattern"] = 6;
  });
  model.write_folder();
  const ModelSource before(model.original()), after(model.folder());
  EXPECT_EQ(after.final_norm(), before.final_norm());
  EXPECT_EQ(after.block(0).query_norm, before.block(0).query_norm);
  const Json scalar = read_json(model.folder() / "config.json")["query_pre_attn_scalar"];
  EXPECT_EQ(scalar, read_json(model.original() / "config.json")["head_dim"]);
  EXPECT_TRUE(scalar.is_number_integer());  // transformers takes no other
  std::vector<std::int32_t> ids;
  for (std::int32_t id = 3; id < 30; ++id) ids.push_back(id);
  EXPECT_LE(test::relative_error(logits_of(model.folder(), ids).view(),
                                 logits_of(model.original(), ids).view()),
            1e-5);
}

TEST(FolderOfGguf, WritesLlama3sScalingIntoTheConfig) {
  ThereAndBack model("llama_scaled_tied");
  model.write_folder();
  const Json scaling = read_json(model.folder() / "config.json")["rope_scaling"],
             original = read_json(model.original() / "config.json")["rope_parameters"];
  EXPECT_EQ(scaling["rope_type"], "llama3");
  EXPECT_EQ(scaling["factor"].get<double>(), original["factor"].get<double>());
}

TEST(FolderOfGguf, RefusesATensorWithoutAName) {
  TensorInfo info{"output_scale.extra", DType::kF32, {1}, 4};
  EXPECT_NE(error_text([&] { left_out_of_folder(info); }).find("output_scale.extra"),
            std::string::npos);
  info.name = "model.layers.0.mlp.up_proj.weight";
  EXPECT_FALSE(left_out_of_folder(info));
}

TEST(FolderOfGguf, TakesATokenizerBesideTheFileAsItIs) {
  ThereAndBack model("qwen3");
  const fs::path beside = model.file().parent_path();
  write_file(beside / "tokenizer.json", std::string(kTokenizer) + "\n\n");
  write_file(beside / "tokenizer_config.json",
             R"({"tokenizer_class": "X", "add_bos_token": false})");
  model.write_folder();
  EXPECT_EQ(read_file(model.folder() / "tokenizer.json", 1 << 20),
            std::string(kTokenizer) + "\n\n");
  EXPECT_EQ(read_json(model.folder() / "tokenizer_config.json")["tokenizer_class"], "X");
}

// Of another model, it is left alone.
TEST(FolderOfGguf, TakesNoTokenizerWithOtherTokens) {
  ThereAndBack model("qwen3");
  std::string other = kTokenizer;
  other.replace(other.find("\"ab\": 2"), 4, "\"xy\"");
  other.replace(other.find("\"a b\""), 5, "");
  write_file(model.file().parent_path() / "tokenizer.json", other);
  model.write_folder();
  EXPECT_EQ(read_json(model.folder() / "tokenizer.json")["model"]["vocab"]["ab"], 2);
}

TEST(FolderOfGguf, TakesNamedTemplatesAlong) {
  ThereAndBack model("qwen3");
  // In front of the first pair; the count of pairs is the third number of the header.
  std::string bytes = read_file(model.file(), 1 << 26);
  test::GgufFile more;
  more.text("tokenizer.chat_template", "plain").texts("tokenizer.chat_templates", {"tools"});
  more.text("tokenizer.chat_template.tools", "with tools");
  std::string pairs = more.bytes().substr(test::GgufFile::kFirstPair);
  const std::size_t used = pairs.rfind("with tools") + 10;
  pairs.resize(used);
  // The data begin at a multiple of 32: a text fills up what the new pairs leave.
  const std::size_t head = 8 + 6 + 4 + 8, over = (used + head) % 32;
  pairs += test::gguf_text("filler") + test::packed<std::uint32_t>(8) +
           test::gguf_text(std::string(over == 0 ? 0 : 32 - over, '.'));
  bytes.insert(test::GgufFile::kFirstPair, pairs);
  std::uint64_t count = 0;
  std::memcpy(&count, bytes.data() + 16, 8);
  bytes.replace(16, 8, test::packed(count + 4));
  write_file(model.file(), bytes);
  model.write_folder();
  EXPECT_EQ(read_json(model.folder() / "tokenizer_config.json")["chat_template"],
            Json::parse(R"([{"name": "default", "template": "plain"},
                            {"name": "tools", "template": "with tools"}])"));
}

TEST(FolderOfGguf, SaysThatAFileWithoutTokenizerGivesNone) {
  ThereAndBack model("qwen3");
  // The key that says there are tokens becomes another one of the same length.
  std::string bytes = read_file(model.file(), 1 << 26);
  const auto at = bytes.find("tokenizer.ggml.tokens");
  bytes.replace(at, 9, "tokenyzer");
  write_file(model.file(), bytes);
  model.write_folder();
  ASSERT_EQ(model.notes.size(), 1u);
  EXPECT_NE(model.notes[0].find("no tokenizer"), std::string::npos);
  EXPECT_FALSE(fs::exists(model.folder() / "tokenizer.json"));
}

}  // namespace
}  // namespace nibble
