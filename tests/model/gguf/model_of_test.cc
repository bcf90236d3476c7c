// Models written as GGUF files and read back: the logits are still those of transformers.
#include "model/gguf/model_of.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "checkpoint/gguf_writer.h"
#include "model/golden_model.h"
#include "model/logits_of.h"
#include "model/open_tokenizer.h"
#include "nibble/error.h"
#include "nibble/tokenizer.h"
#include "support/error_text.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::error_text;
using test::logits_of;
using test::TempDir;

// Bytes spelled as characters, two merges, no special tokens.
constexpr const char* kTokenizer = R"({
  "added_tokens": [], "normalizer": null, "post_processor": null,
  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
  "decoder": {"type": "ByteLevel"},
  "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}})";

// A golden model with a tokenizer beside it, and its GGUF file.
class Written {
 public:
  explicit Written(
      const std::string& name, const std::function<void(Json&)>& change = [](Json&) {}) {
    test::write_changed_model(name, dir_.path(), change);
    write_file(dir_ / "tokenizer.json", kTokenizer);
    fs::create_directory(dir_ / "out");
  }
  fs::path file() const { return dir_ / "out" / "model.gguf"; }
  const std::vector<std::string>& notes() const { return notes_; }
  fs::path folder() const { return dir_.path(); }

  void write() {
    const ModelSource source(dir_.path());
    const auto tensors = source.checkpoint().tensors();
    OutputModel output;
    output.inputs = {source.folder()};
    output.tensors.assign(tensors.begin(), tensors.end());
    output.gguf = [&] { return gguf_model_of(source, output.tensors, notes_); };
    const auto writer = create_gguf(file(), output, 0, {});
    for (const TensorInfo& info : tensors) writer->add(info.name, source.checkpoint().bytes(info));
    writer->finish(Json::object());
  }

 private:
  TempDir dir_;
  std::vector<std::string> notes_;
};

class GoldenModelInOneFile : public testing::TestWithParam<const char*> {};

TEST_P(GoldenModelInOneFile, GivesTheGoldenLogits) {
  Written written(GetParam());
  written.write();
  EXPECT_TRUE(written.notes().empty());
  const auto golden = test::golden_logits(GetParam());
  const Tensor logits = logits_of(written.file(), golden.ids);
  EXPECT_LE(test::relative_error(logits.view(), golden.logits.view()), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenModelInOneFile,
                         testing::Values("llama_groups", "llama_heads", "llama_biases",
                                         "llama_linear", "llama_scaled_tied", "llama_yarn", "qwen2",
                                         "qwen3"),
                         [](const auto& one) { return std::string(one.param); });

TEST(GgufModelOf, NotesWindowsThatItsReadersDoWithout) {
  for (const char* name : {"mistral_window", "mistral_types", "qwen2_late_window"}) {
    Written written(name);
    written.write();
    ASSERT_EQ(written.notes().size(), 1u) << name;
    EXPECT_NE(written.notes()[0].find("see 8 tokens only"), std::string::npos)
        << written.notes()[0];
    // Within the window nothing differs.
    const std::vector<std::int32_t> ids = {5, 6, 7, 8, 9, 10, 11};
    EXPECT_LE(test::relative_error(logits_of(written.file(), ids).view(),
                                   logits_of(written.folder(), ids).view()),
              1e-5)
        << name;
  }
}

// As the published sizes have it: scores are scaled by the width of a head.
void scale_by_head(Json& config) { config["query_pre_attn_scalar"] = config["head_dim"]; }

TEST(GgufModelOf, RefusesWindowsWhereGgufHasNone) {
  Written written("gemma3_types", scale_by_head);
  EXPECT_NE(error_text([&] { written.write(); }).find("layers with windows"), std::string::npos)
      << error_text([&] { written.write(); });
  EXPECT_FALSE(fs::exists(written.file()));
}

TEST(GgufModelOf, GivesGemmaItsGainsAndRopes) {
  Written written("gemma3", [](Json& config) {
    scale_by_head(config);
    config["sliding_window_pattern"] = 6;
  });
  written.write();
  std::vector<std::int32_t> ids;
  for (std::int32_t id = 3; id < 30; ++id) ids.push_back(id);
  EXPECT_LE(test::relative_error(logits_of(written.file(), ids).view(),
                                 logits_of(written.folder(), ids).view()),
            1e-5);
}

TEST(GgufModelOf, RefusesAScaleOfScoresThatGgufCannotSay) {
  Written written("gemma3", [](Json& config) { config["query_pre_attn_scalar"] = 77; });
  const std::string text = error_text([&] { written.write(); });
  EXPECT_NE(text.find("scale of scores"), std::string::npos) << text;
}

TEST(GgufModelOf, TakesTheWholeTokenizerAlongWhereTheListsDoNotSayIt) {
  Written written("qwen3");
  Json tokenizer = Json::parse(kTokenizer);
  tokenizer["pre_tokenizer"] = {
      {"type", "Sequence"},
      {"pretokenizers",
       {{{"type", "Split"},
         {"pattern", {{"Regex", "b"}}},
         {"behavior", "Isolated"},
         {"invert", false}},
        {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}};
  write_file(written.folder() / "tokenizer.json", tokenizer.dump());
  written.write();
  ASSERT_EQ(written.notes().size(), 1u);
  EXPECT_NE(written.notes()[0].find("llama.cpp"), std::string::npos);
  // "ab" is never put together: the cut lies between.
  const auto opened = open_tokenizer(written.file());
  EXPECT_EQ(opened->encode("abab"), (std::vector<std::int32_t>{0, 1, 0, 1}));
}

TEST(GgufModelOf, WritesNamesThatReadAsTheyWere) {
  Written written("qwen2");
  written.write();
  const ModelSource original(written.folder()), read(written.file());
  for (const TensorInfo& info : original.checkpoint().tensors())
    EXPECT_EQ(read.checkpoint().at(info.name).shape, info.shape) << info.name;
  EXPECT_EQ(read.hyper().layers, original.hyper().layers);
  EXPECT_EQ(read.hyper().context, original.hyper().context);
}

}  // namespace
}  // namespace nibble
