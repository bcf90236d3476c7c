#include "session/running_model.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/text.h"
#include "session/demo_copy.h"
#include "support/error_text.h"

namespace nibble {
namespace {

constexpr std::string_view kPrompt = "Once upon a time";

GenerateOptions greedy(std::size_t tokens) {
  GenerateOptions options;
  options.max_tokens = tokens;
  options.sampler.temperature = 0;
  return options;
}

TEST(RunningModel, GivesTheTextInPiecesAndAsAWhole) {
  const test::DemoCopy folder;
  const RunningModel model(folder.path());
  std::string pieces;
  const Written written =
      model.write(kPrompt, greedy(12), [&](std::string_view piece) { pieces += piece; });
  EXPECT_EQ(written.text, ", and the next day, the third day, the third");
  EXPECT_EQ(pieces, written.text);
  EXPECT_EQ(written.prompt_tokens, model.tokenizer().encode(kPrompt).size());
}

// Every byte a token of its own, as SentencePiece's vocabularies have them for rare characters.
Json tokenizer_of_bytes() {
  Json vocabulary = {{"\u2581", 256}, {"a", 257}};
  for (int byte = 0; byte < 256; ++byte) vocabulary[fmt::format("<0x{:02X}>", byte)] = byte;
  return {
      {"added_tokens", Json::array()},
      {"normalizer", {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\u2581"}}},
      {"decoder",
       {{"type", "Sequence"}, {"decoders", {{{"type", "ByteFallback"}}, {{"type", "Fuse"}}}}}},
      {"model",
       {{"type", "BPE"},
        {"byte_fallback", true},
        {"fuse_unk", true},
        {"vocab", vocabulary},
        {"merges", Json::array()}}}};
}

TEST(RunningModel, NeverRepeatsThePromptsLastCharacters) {
  const test::DemoCopy folder;
  write_file(folder / "tokenizer.json", tokenizer_of_bytes().dump());
  write_file(folder / "tokenizer_config.json", "{}");
  const RunningModel model(folder.path());
  for (const std::string prompt : {"a\u65e5\u672c", "a", "\u65e5 a", "a\U0001F389"}) {
    const auto ids = model.tokenizer().encode(prompt);
    ASSERT_EQ(model.tokenizer().decode(ids), prompt == "\u65e5 a" ? "\u65e5\u2581a" : prompt);
    const Written written = model.write(prompt, greedy(8), {});
    auto all = ids;
    all.insert(all.end(), written.generated.ids.begin(), written.generated.ids.end());
    const std::string before = model.tokenizer().decode(ids), whole = model.tokenizer().decode(all);
    // Bytes that make no character are marked one by one, alone or together.
    if (whole.starts_with(before)) {
      EXPECT_EQ(written.text, whole.substr(before.size())) << prompt;
    }
    EXPECT_FALSE(written.text.starts_with("\u672c")) << prompt;
  }
}

TEST(RunningModel, EndsTextsAtTheIdsOfItsGenerationConfig) {
  const test::DemoCopy folder;
  const auto ids = RunningModel(folder.path()).write(kPrompt, greedy(12)).generated.ids;
  write_file(folder / "generation_config.json", cat("{\"eos_token_id\": ", ids[3], "}"));
  const Generated ended = RunningModel(folder.path()).write(kPrompt, greedy(12)).generated;
  EXPECT_TRUE(ended.stopped);
  EXPECT_EQ(ended.ids, std::vector(ids.begin(), std::find(ids.begin(), ids.end(), ids[3])));
}

TEST(RunningModel, ReadsItsGenerationConfigWhenItIsOpenedAndNeverAgain) {
  const test::DemoCopy folder;
  write_file(folder / "generation_config.json", R"({"top_k": 3})");
  const RunningModel model(folder.path());
  write_file(folder / "generation_config.json", "changed while the model runs");
  EXPECT_EQ(model.write(kPrompt, greedy(4)).text, ", and the next");
  EXPECT_EQ(model.settings().top_k, 3);
}

TEST(RunningModel, RefusesADamagedGenerationConfigBeforeAnyText) {
  const test::DemoCopy folder;
  write_file(folder / "generation_config.json", R"({"top_k": -3})");
  EXPECT_EQ(test::error_kind([&] { const RunningModel model(folder.path()); }),
            ErrorKind::kCorruptFile);
}

TEST(RunningModel, LeavesAStopStringOutOfTheText) {
  const test::DemoCopy folder;
  const Written written =
      RunningModel(folder.path()).write(kPrompt, greedy(12), {}, StopStrings({" third"}));
  EXPECT_EQ(written.text, ", and the next day, the");
  EXPECT_TRUE(written.generated.stopped);
}

}  // namespace
}  // namespace nibble
