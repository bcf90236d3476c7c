// Expected values: AutoTokenizer.from_pretrained of transformers 5.24 on folders with these files.
#include "tokenizer/special_names.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "support/error_text.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace nibble::tokenizer {
namespace {

using Names = std::map<std::string, std::string>;

Names names(const char* config, const char* map = "null") {
  const auto read = read_special_names(Json::parse(config), Json::parse(map)).tokens;
  return {read.begin(), read.end()};
}

TEST(SpecialNames, AreTheSevenRolesAndThoseTheTokenizerNamesItself) {
  EXPECT_EQ(names(R"({"bos_token": "<s>", "eos_token": {"content": "</s>"}, "unk_token": "<unk>",
                      "sep_token": "[SEP]", "pad_token": "<pad>", "cls_token": "[CLS]",
                      "mask_token": "[MASK]", "image_token": "<image>", "add_bos_token": true,
                      "extra_special_tokens": {"audio_token": "<audio>", "eoi": "<eoi>"}})"),
            (Names{{"bos_token", "<s>"},
                   {"eos_token", "</s>"},
                   {"unk_token", "<unk>"},
                   {"sep_token", "[SEP]"},
                   {"pad_token", "<pad>"},
                   {"cls_token", "[CLS]"},
                   {"mask_token", "[MASK]"},
                   {"image_token", "<image>"},
                   {"audio_token", "<audio>"},
                   {"eoi", "<eoi>"}}));
}

TEST(SpecialNames, AreAbsentWhereTheConfigHasNullOrNothing) {
  EXPECT_EQ(names(R"({"bos_token": null, "eos_token": "</s>",
                      "extra_special_tokens": ["<a>", "<b>"]})"),
            (Names{{"eos_token", "</s>"}}));
}

TEST(SpecialNames, TheOlderFileWinsUnlessTheConfigListsItsAddedTokens) {
  const char* map = R"({"bos_token": "<m>", "eos_token": null, "pad_token": {"content": "<p>"},
                        "image_token": "<map>", "extra_special_tokens": {"video_token": "<v>"}})";
  EXPECT_EQ(names(R"({"bos_token": "<s>", "eos_token": "</s>", "image_token": "<config>"})", map),
            (Names{{"bos_token", "<m>"},
                   {"pad_token", "<p>"},
                   {"image_token", "<config>"},
                   {"video_token", "<v>"}}));
  EXPECT_EQ(names(R"({"bos_token": "<s>", "added_tokens_decoder": {}})", map),
            (Names{{"bos_token", "<s>"}}));
}

TEST(SpecialNames, OfItsOwnAreTheOlderFilesWhereTheConfigHasThemAsObjects) {
  const char* config = R"({"image_token": {"__type": "AddedToken", "content": "<config>"}})";
  EXPECT_EQ(names(config, R"({"image_token": "<map>"})"), (Names{{"image_token", "<map>"}}));
  EXPECT_EQ(names(config, R"({"image_token": null})"), Names());
  EXPECT_EQ(names(config, R"({"video_token": "<v>"})"),
            (Names{{"image_token", "<config>"}, {"video_token", "<v>"}}));
  EXPECT_EQ(names(R"({"image_token": "<config>"})", R"({"image_token": null})"),
            (Names{{"image_token", "<config>"}}));
}

TEST(SpecialNames, AreReadFromWhereTransformers5WritesThemAllUnlessThereAreOthers) {
  EXPECT_EQ(names(R"({"model_specific_special_tokens": {"boi": "<boi>", "image_token": "<i>"}})"),
            (Names{{"boi", "<boi>"}, {"image_token", "<i>"}}));
  EXPECT_EQ(names(R"({"model_specific_special_tokens": {"boi": "<boi>"}, "image_token": "<i>"})"),
            (Names{{"image_token", "<i>"}}));
  EXPECT_EQ(names(R"({"model_specific_special_tokens": null})"), Names());
}

TEST(SpecialNames, ComeFromTheClassWhereNothingIsSaid) {
  EXPECT_EQ(names(R"({"tokenizer_class": "LlamaTokenizerFast", "eos_token": "<end>"})"),
            (Names{{"unk_token", "<unk>"}, {"bos_token", "<s>"}, {"eos_token", "<end>"}}));
  EXPECT_EQ(names(R"({"tokenizer_class": "Qwen2Tokenizer", "pad_token": null})"),
            (Names{{"unk_token", "<|endoftext|>"}, {"eos_token", "<|endoftext|>"}}));
  EXPECT_EQ(names(R"({"tokenizer_class": "PreTrainedTokenizerFast"})"), Names());
}

TEST(SpecialNames, DoNotComeFromTheLlamaClassWhenTheTokenizerWorksOnBytes) {
  const test::TempDir dir;
  write_file(dir / "tokenizer_config.json", R"({"tokenizer_class": "LlamaTokenizer"})");
  EXPECT_EQ(read_special_names_in(dir.path()).token("bos_token"), "<s>");
  write_file(dir / "tokenizer.json", R"({"pre_tokenizer": {"type": "ByteLevel"}})");
  EXPECT_EQ(read_special_names_in(dir.path()).token("bos_token"), "");
}

TEST(SpecialNames, AreThoseThatTheReferenceFinds) {
  const Json golden =
      read_json(std::string(kSourceFolder) + "/tests/golden/tokenizer/special_names.json");
  for (const Json& test : golden["cases"]) {
    const auto read = read_special_names(test["config"], test["map"], true).tokens;
    EXPECT_EQ(Names(read.begin(), read.end()), test["tokens"].get<Names>()) << test.dump();
  }
  EXPECT_GE(golden["cases"].size(), 10u);
}

TEST(SpecialNames, OfTheWrongTypeAreRefusedWithTheFile) {
  const test::TempDir dir;
  write_file(dir / "tokenizer_config.json", R"({"bos_token": 3})");
  const std::string text = test::error_text([&] { read_special_names_in(dir.path()); });
  EXPECT_NE(text.find("tokenizer_config.json: \"bos_token\" is number"), std::string::npos) << text;
}

}  // namespace
}  // namespace nibble::tokenizer
