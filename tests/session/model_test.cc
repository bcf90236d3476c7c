#include "nibble/model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/files.h"
#include "nibble/error.h"
#include "nibble/process.h"
#include "session/demo_copy.h"
#include "support/error_text.h"
#include "support/paths.h"

namespace nibble {
namespace {

constexpr std::string_view kPrompt = "Once upon a time";

std::filesystem::path demo() { return std::string(kSourceFolder) + "/assets/demo"; }

Model exact_demo() { return Model::open(demo(), Compute::kFloat32); }

TEST(Model, ContinuesAPromptInPiecesThatAreTheText) {
  std::string pieces;
  const GeneratedText written =
      exact_demo().generate(kPrompt, {.max_tokens = 12, .temperature = 0},
                            [&](std::string_view piece) { pieces += piece; });
  EXPECT_EQ(written.text, ", and the next day, the third day, the third");
  EXPECT_EQ(pieces, written.text);
  EXPECT_EQ(written.ids.size(), 12u);
  EXPECT_FALSE(written.stopped);
}

TEST(Model, WritesTheSameForTextAndForItsIds) {
  const Model model = exact_demo();
  const auto ids = model.tokenizer().encode(kPrompt);
  const TextOptions options = {.max_tokens = 12, .seed = 3};
  EXPECT_EQ(model.generate(std::span<const std::int32_t>(ids), options).ids,
            model.generate(kPrompt, options).ids);
}

TEST(Model, WritesTheSameForTheSameSeedOnly) {
  const Model model = exact_demo();
  const auto written = [&](std::uint64_t seed) {
    return model.generate(kPrompt, {.max_tokens = 32, .temperature = 1, .seed = seed}).ids;
  };
  EXPECT_EQ(written(7), written(7));
  EXPECT_NE(written(7), written(8));
}

TEST(Model, LeavesTheStopStringOut) {
  const GeneratedText written =
      exact_demo().generate(kPrompt, {.max_tokens = 12, .stop = {" day"}, .temperature = 0});
  EXPECT_EQ(written.text, ", and the next");
  EXPECT_TRUE(written.stopped);
}

TEST(Model, DoesWhatItsFolderSaysUnlessAsked) {
  const test::DemoCopy folder;
  write_file(folder / "generation_config.json", R"({"do_sample": false})");
  const Model model = Model::open(folder.path(), Compute::kFloat32);
  const auto greedy = exact_demo().generate(kPrompt, {.max_tokens = 12, .temperature = 0}).ids;
  EXPECT_EQ(model.generate(kPrompt, {.max_tokens = 12, .seed = 5}).ids, greedy);
  EXPECT_NE(model.generate(kPrompt, {.max_tokens = 12, .temperature = 3.0, .seed = 5}).ids, greedy);
}

TEST(Model, PrefersByLogitsWhatItWritesGreedily) {
  const Model model = exact_demo();
  const auto ids = model.tokenizer().encode(kPrompt);
  const auto logits = model.logits(ids);
  ASSERT_EQ(logits.size(), model.facts().vocabulary);
  const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
  EXPECT_EQ(model.generate(kPrompt, {.max_tokens = 1, .temperature = 0}).ids.at(0), best);
}

TEST(Model, KnowsItsNumbers) {
  const ModelFacts facts = exact_demo().facts();
  EXPECT_EQ(facts.layers, 6u);
  EXPECT_EQ(facts.weights, "bf16");
  EXPECT_GT(facts.weight_bytes, 2 * facts.hidden * facts.vocabulary);
  EXPECT_FALSE(facts.architecture.empty());
}

TEST(Model, TakesTheWholeContextAndNoMore) {
  const Model model = exact_demo();
  const std::size_t context = model.facts().context;
  const std::vector<std::int32_t> full(context, 5), longer(context + 1, 5);
  // A context that is full has room for the one token whose logits it gave.
  EXPECT_EQ(model.generate(std::span<const std::int32_t>(full), {.max_tokens = 9}).ids.size(), 1u);
  EXPECT_EQ(test::error_kind([&] { model.generate(std::span<const std::int32_t>(longer)); }),
            ErrorKind::kInvalidArgument);
  EXPECT_EQ(test::error_kind([&] { model.logits(longer); }), ErrorKind::kInvalidArgument);
}

TEST(Model, EndsAtTheContextHoweverManyTokensAreAskedFor) {
  const Model model = exact_demo();
  const std::vector<std::int32_t> nearly(model.facts().context - 3, 5);
  const std::size_t most = std::numeric_limits<std::size_t>::max();
  EXPECT_LE(model.generate(std::span<const std::int32_t>(nearly), {.max_tokens = most}).ids.size(),
            4u);
}

TEST(Model, RefusesIdsThatAreNoTokens) {
  const Model model = exact_demo();
  const auto vocabulary = static_cast<std::int32_t>(model.facts().vocabulary);
  for (const std::int32_t id : {-1, vocabulary, std::numeric_limits<std::int32_t>::max(),
                                std::numeric_limits<std::int32_t>::min()}) {
    const std::vector<std::int32_t> ids = {5, id};
    EXPECT_EQ(test::error_kind([&] { model.generate(std::span<const std::int32_t>(ids)); }),
              ErrorKind::kInvalidArgument)
        << id;
    EXPECT_EQ(test::error_kind([&] { model.logits(ids); }), ErrorKind::kInvalidArgument) << id;
  }
  EXPECT_EQ(test::error_kind([&] { model.generate(""); }), ErrorKind::kInvalidArgument);
  EXPECT_EQ(test::error_kind([&] { model.logits({}); }), ErrorKind::kInvalidArgument);
}

TEST(Model, NamesTheOptionThatIsOutOfRange) {
  const Model model = exact_demo();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<std::pair<TextOptions, std::string>> refused = {
      {{.temperature = -1.0}, "temperature"},
      {{.temperature = nan}, "temperature"},
      {{.top_k = -1}, "top_k"},
      {{.top_p = 1.5}, "top_p"},
      {{.min_p = -0.1}, "min_p"},
      {{.repeat_penalty = 0.0}, "repeat_penalty"},
      {{.repeat_last = -2}, "repeat_last"},
  };
  for (const auto& [options, name] : refused)
    EXPECT_TRUE(test::error_text([&] { model.generate(kPrompt, options); }).starts_with(name))
        << name;
}

TEST(Model, StopsWhenAsked) {
  const Model model = exact_demo();
  const auto ask = [&] {
    model.generate(kPrompt, {.max_tokens = 12}, [](std::string_view) { request_stop(); });
  };
  EXPECT_EQ(test::error_kind(ask), ErrorKind::kInterrupted);
  forget_stop_request();
}

TEST(Model, LetsTheCallersOwnExceptionThrough) {
  struct Mine {};
  const Model model = exact_demo();
  EXPECT_THROW(model.generate(kPrompt, {}, [](std::string_view) { throw Mine(); }), Mine);
}

TEST(Model, WritesAMessageAsItsTemplateWants) {
  const test::DemoCopy folder;
  write_file(folder / "chat_template.jinja", "User: {{ messages[0].content }}\nBot:");
  const Model model = Model::open(folder.path());
  EXPECT_EQ(model.tokenizer().decode(model.chat_prompt("Hi")), "User: Hi\nBot:");
}

TEST(Model, SaysWhereThereIsNothingToOpen) {
  const test::TempDir folder;
  EXPECT_EQ(test::error_kind([&] { Model::open(folder / "nowhere"); }), ErrorKind::kNotFound);
}

}  // namespace
}  // namespace nibble
