#include "evaluate/scored_text.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "nibble/error.h"
#include "support/error_text.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

// One token per letter a to h; <s> is 0. `adds_bos`: in front of every text.
std::unique_ptr<Tokenizer> letters(bool adds_bos) {
  const std::string special =
      R"({"id":0,"content":"<s>","special":true,"single_word":false,"lstrip":false,)"
      R"("rstrip":false,"normalized":false})";
  const std::string processor =
      adds_bos
          ? R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},)"
            R"({"Sequence":{"id":"A","type_id":0}}],"pair":[],)"
            R"("special_tokens":{"<s>":{"id":"<s>","ids":[0],"tokens":["<s>"]}}})"
          : "null";
  return Tokenizer::parse(
      R"({"version":"1.0","added_tokens":[)" + special +
          R"(],"normalizer":null,"pre_tokenizer":null,"post_processor":)" + processor +
          R"(,"decoder":null,"model":{"type":"BPE","vocab":{"<s>":0,"a":1,"b":2,"c":3,"d":4,)"
          R"("e":5,"f":6,"g":7,"h":8},"merges":[]}})",
      R"({"bos_token":"<s>"})");
}

ScoredText text_of(const std::string& protocol, bool adds_bos, MeasureOptions options = {}) {
  options.protocol = protocol;
  return make_scored_text(*letters(adds_bos), {"abcdefghabcdefgh", "letters.txt"}, 64, options);
}

TEST(ScoredText, GptqHasBosOnlyAtTheStartOfTheText) {
  const ScoredText text = text_of("gptq-4", true);
  EXPECT_EQ(text.window_ids(text.windows[0]), (std::vector<std::int32_t>{0, 1, 2, 3}));
  EXPECT_EQ(text.window_ids(text.windows[1]), (std::vector<std::int32_t>{4, 5, 6, 7}));
  EXPECT_EQ(text.scope.text_tokens, 17u);
  EXPECT_EQ(text.scope.tokens, 4 * 3u);
}

TEST(ScoredText, LlamaCppPutsBosInPlaceOfEachFirstToken) {
  const ScoredText text = text_of("llamacpp-8", true);
  EXPECT_EQ(text.window_ids(text.windows[1]), (std::vector<std::int32_t>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(text.scope.tokens, 2 * 3u);
}

TEST(ScoredText, LlamaCppLeavesTokensAloneWhenTheTokenizerAddsNoBos) {
  const ScoredText text = text_of("llamacpp-8", false);
  EXPECT_EQ(text.window_ids(text.windows[1]).front(), 1);
}

TEST(ScoredText, CountsOnlyTheWindowsAskedFor) {
  const ScoredText text = text_of("gptq-4", false, {.windows = 2});
  EXPECT_EQ(text.scope.windows, 2u);
  EXPECT_EQ(text.scope.tokens, 6u);
}

TEST(ScoredText, NamesTheHashOfTheText) {
  // printf abcdefghabcdefgh | sha256sum
  EXPECT_EQ(text_of("gptq-4", false).scope.text_sha256,
            "181efb54266442ac2a38f80ab95d5fe13c4ce3f3b12d67c1c69ade9ebde47c4d");
}

TEST(ScoredText, SaysHowManyTokensAreMissing) {
  try {
    text_of("llamacpp-16", false);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find("letters.txt"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("16 tokens"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("32"), std::string::npos);
  }
}

TEST(ScoredText, WindowsAreAtMostTheModelsContextUnlessAskedFor) {
  EXPECT_EQ(protocol_of({}, 512).name(), "gptq-512");
  EXPECT_EQ(protocol_of({}, 2048).name(), "gptq-2048");
  EXPECT_EQ(protocol_of({}, 131072).name(), "gptq-2048");
  EXPECT_EQ(protocol_of({.protocol = "llamacpp-1024"}, 512).name(), "llamacpp-1024");
}

TEST(ScoredText, RefusesAContextThatTheProtocolDoesNotRead) {
  EXPECT_EQ(protocol_of({.protocol = "hf-stride-16", .context = 32}, 64).name(), "hf-stride-16");
  for (const auto& [asked, fix] : {std::pair("", "--protocol gptq-512"),
                                   std::pair("llamacpp-256", "--protocol llamacpp-512")}) {
    try {
      protocol_of({.protocol = asked, .context = 512}, 2048);
      ADD_FAILURE() << asked;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      EXPECT_NE(std::string(error.what()).find(fix), std::string::npos) << error.what();
    }
  }
}

TEST(ScoredText, WarnsOfWindowsLongerThanTheModelKnows) {
  std::vector<std::string> lines;
  MeasureOptions options;
  options.protocol = "gptq-8";
  options.log = [&](std::string_view line) { lines.emplace_back(line); };
  make_scored_text(*letters(false), {"abcdefgh", "letters.txt"}, 4, options);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_NE(lines[0].find("4 positions"), std::string::npos);
}

TEST(TextToScore, MissingFileIsNotFound) {
  EXPECT_EQ(test::error_kind([] {
              read_text_to_score("no-such-file.txt", "no-model", 64, {.protocol = "gptq-4"});
            }),
            ErrorKind::kNotFound);
}

TEST(TextToScore, UnknownProtocolIsToldBeforeTheFileIsRead) {
  EXPECT_EQ(test::error_kind(
                [] { read_text_to_score("no-such-file.txt", "", 64, {.protocol = "none-4"}); }),
            ErrorKind::kInvalidArgument);
}

// As data sets are joined in the papers: Python's "\n\n".join(rows), empty rows included.
TEST(TextToScore, JoinsTheRowsOfADataSet) {
  const test::TempDir dir;
  write_file(dir / "a.jsonl", "{\"text\": \"\"}\n{\"text\": \" = A = \\n\"}\n{\"id\": 3}\n");
  std::vector<std::string> lines;
  MeasureOptions options;
  options.log = [&](std::string_view line) { lines.emplace_back(line); };
  const TextToScore read = read_text_to_score(dir / "a.jsonl", dir.path(), 64, options);
  EXPECT_EQ(read.text, "\n\n = A = \n");
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_NE(lines[0].find("1 of 3 rows"), std::string::npos) << lines[0];
}

TEST(TextToScore, DropsAByteOrderMark) {
  const test::TempDir dir;
  write_file(dir / "a.txt", "\xEF\xBB\xBF{prose}");
  EXPECT_EQ(read_text_to_score(dir / "a.txt", dir.path(), 64, {}).text, "{prose}");
}

}  // namespace
}  // namespace nibble
