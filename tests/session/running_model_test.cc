#include "session/running_model.h"

#include <gtest/gtest.h>

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
