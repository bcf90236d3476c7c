#include "session/generation_settings.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "support/error_text.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using Ids = std::vector<std::int32_t>;

GenerationSettings read(std::string_view json) {
  const test::TempDir folder;
  write_file(folder / "generation_config.json", json);
  return generation_settings(folder.path());
}

TEST(GenerationSettings, AreOursWhereTheFolderSaysNothing) {
  const test::TempDir folder;
  EXPECT_EQ(json_of(generation_settings(folder.path())), json_of(GenerationSettings()));
}

TEST(GenerationSettings, AreThoseOfTheFileAndOursForKeysItLeavesOut) {
  const GenerationSettings settings =
      read(R"({"temperature": 0.6, "top_k": 20, "repetition_penalty": 1.1})");
  EXPECT_EQ(settings.temperature, 0.6);
  EXPECT_EQ(settings.top_k, 20);
  EXPECT_EQ(settings.repeat_penalty, 1.1);
  EXPECT_EQ(settings.min_p, GenerationSettings().min_p);
}

TEST(GenerationSettings, TakeTheLikeliestTokenWhereTheFileDoesNotSample) {
  EXPECT_EQ(read(R"({"do_sample": false, "temperature": 0.6})").temperature, 0);
}

TEST(GenerationSettings, EndTextsAtOneIdOrAtSeveral) {
  EXPECT_EQ(read(R"({"eos_token_id": 7})").stop, Ids({7}));
  EXPECT_EQ(read(R"({"eos_token_id": [7, 9]})").stop, Ids({7, 9}));
  EXPECT_EQ(read(R"({"eos_token_id": null})").stop, Ids());
}

TEST(GenerationSettings, RefuseValuesOfNoMeaningAndNameTheKeyAndTheFile) {
  for (const char* json : {R"({"top_p": 1.5})", R"({"top_p": "much"})"}) {
    const std::string text = test::error_text([&] { read(json); });
    EXPECT_NE(text.find("generation_config.json"), text.npos) << text;
    EXPECT_NE(text.find("top_p"), text.npos) << text;
  }
  EXPECT_EQ(test::error_kind([] { read("[]"); }), ErrorKind::kCorruptFile);
  EXPECT_EQ(test::error_kind([] { read(R"({"eos_token_id": "end"})"); }), ErrorKind::kCorruptFile);
}

TEST(GenerationSettings, LookBackOverTheWholeContextForMinusOne) {
  GenerationSettings settings;
  settings.repeat_last = -1;
  EXPECT_EQ(sampler_options(settings, 512, 3).repeat_last, 512u);
  settings.repeat_last = 8;
  EXPECT_EQ(sampler_options(settings, 512, 3).repeat_last, 8u);
  EXPECT_EQ(sampler_options(settings, 512, 3).seed, 3u);
}

}  // namespace
}  // namespace nibble
