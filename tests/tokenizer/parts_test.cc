// Normalizers, pre-tokenizers and decoders one by one, against those of the tokenizers package; and
// the settings that each refuses.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/error_text.h"
#include "tokenizer/decoders/decoder.h"
#include "tokenizer/golden.h"
#include "tokenizer/normalizers/normalizer.h"
#include "tokenizer/postprocessors/postprocessor.h"
#include "tokenizer/pretokenizers/pretokenizer.h"

namespace nibble::tokenizer {
namespace {

using Texts = std::vector<std::string>;

constexpr std::size_t kEnough = 1 << 20;  // bytes a text may grow to

// Runs check(settings, what the reference makes of each input) for every row of one kind.
template <typename Check>
void for_each_golden(const char* kind, Check&& check) {
  const Json golden = test::read_golden("parts");
  for (const Json& row : golden[kind]) {
    SCOPED_TRACE(row["settings"].dump());
    check(golden, row["settings"], row["gives"]);
  }
}

Texts cut(const Pretokenizer& pretokenizer, const std::string& text) {
  Pieces pieces;
  pieces.text = text;
  pieces.at_start = true;
  if (!text.empty()) pieces.ranges = {{0, static_cast<std::uint32_t>(text.size())}};
  pretokenizer.apply(pieces);
  Texts cut;
  for (std::size_t i = 0; i < pieces.ranges.size(); ++i) cut.emplace_back(pieces[i]);
  return cut;
}

class Collected : public TokenSink {
 public:
  explicit Collected(std::string& text) : text_(text) {}
  void put(std::string_view part, bool) override { text_ += part; }
  void finish() override {}

 private:
  std::string& text_;
};

std::string decoded(const Decoder& decoder, const Texts& tokens) {
  std::string text;
  const auto sink = decoder.open(std::make_unique<Collected>(text));
  for (const std::string& token : tokens) sink->put(token, true);
  sink->finish();
  return text;
}

TEST(Normalizers, GiveTheTextOfTheReference) {
  for_each_golden("normalizer", [](const Json& golden, const Json& settings, const Json& gives) {
    const auto normalizer = normalizers::read(settings);
    for (std::size_t i = 0; i < gives.size(); ++i)
      EXPECT_EQ(normalizer->apply(golden["texts"][i], kEnough), gives[i].get<std::string>())
          << golden["texts"][i];
  });
}

TEST(Pretokenizers, CutWhereTheReferenceCuts) {
  for_each_golden("pre_tokenizer", [](const Json& golden, const Json& settings, const Json& gives) {
    const auto pretokenizer = pretokenizers::read(settings);
    for (std::size_t i = 0; i < gives.size(); ++i)
      EXPECT_EQ(cut(*pretokenizer, golden["texts"][i]), gives[i].get<Texts>())
          << golden["texts"][i];
  });
}

TEST(Decoders, GiveTheTextOfTheReference) {
  for_each_golden("decoder", [](const Json& golden, const Json& settings, const Json& gives) {
    const auto decoder = decoders::read(settings);
    for (std::size_t i = 0; i < gives.size(); ++i)
      EXPECT_EQ(decoded(*decoder, golden["tokens"][i].get<Texts>()), gives[i].get<std::string>())
          << golden["tokens"][i];
  });
}

// Decoders are streams: a token in parts is the token.
TEST(Decoders, DoNotCareHowATokenIsCut) {
  for_each_golden("decoder", [](const Json& golden, const Json& settings, const Json&) {
    const auto decoder = decoders::read(settings);
    for (const Json& tokens : golden["tokens"]) {
      std::string text;
      const auto sink = decoder->open(std::make_unique<Collected>(text));
      for (const std::string token : tokens) {
        // Parts are whole characters: here ASCII letters one by one, the rest at once.
        std::size_t at = 0;
        for (; at < token.size() && static_cast<unsigned char>(token[at]) < 0x80; ++at)
          sink->put(std::string_view(token).substr(at, 1), false);
        sink->put(std::string_view(token).substr(at), true);
      }
      sink->finish();
      EXPECT_EQ(text, decoded(*decoder, tokens.get<Texts>())) << tokens;
    }
  });
}

TEST(Postprocessors, PutSpecialTokensAroundTheText) {
  const auto apply = [](const char* settings, bool add_special = true) {
    return postprocessors::read(parse_json(settings))->apply({7, 8}, add_special);
  };
  constexpr const char* kTemplate = R"({"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A"}},
                 {"SpecialToken": {"id": "</s>", "type_id": 0}}],
      "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [1, 9], "tokens": ["<s>", "x"]},
                                     "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}}})";
  EXPECT_EQ(apply(kTemplate), (Ids{1, 9, 7, 8, 2}));
  EXPECT_EQ(apply(kTemplate, false), (Ids{7, 8}));
  EXPECT_EQ(apply(R"({"type": "RobertaProcessing", "cls": ["<s>", 3], "sep": ["</s>", 4]})"),
            (Ids{3, 7, 8, 4}));
  EXPECT_EQ(apply(R"({"type": "ByteLevel"})"), (Ids{7, 8}));
  EXPECT_EQ(apply(R"({"type": "Sequence", "processors": [{"type": "ByteLevel"},
                      {"type": "BertProcessing", "cls": ["[CLS]", 3], "sep": ["[SEP]", 4]}]})"),
            (Ids{3, 7, 8, 4}));
}

struct Refused {
  const char* settings;
  ErrorKind kind;
  const char* part;  // of the message
};

template <typename Read>
void expect_refused(Read&& read, std::initializer_list<Refused> all) {
  for (const Refused& one : all) {
    const auto call = [&] { read(parse_json(one.settings)); };
    EXPECT_EQ(test::error_kind(call), one.kind) << one.settings;
    EXPECT_NE(test::error_text(call).find(one.part), std::string::npos)
        << one.settings << ": " << test::error_text(call);
  }
}

TEST(Normalizers, NameWhatIsWrong) {
  using enum ErrorKind;
  expect_refused(
      normalizers::read,
      {
          {R"({"type": "Precompiled"})", kUnsupported, "\"Precompiled\" is not supported; known: "},
          {R"({})", kCorruptFile, "\"type\" is missing"},
          {R"([])", kCorruptFile, "expected an object"},
          {R"({"type": "Prepend"})", kCorruptFile, "\"prepend\" is missing"},
          {R"({"type": "Replace", "content": "x"})", kCorruptFile, "\"pattern\" is missing"},
          {R"({"type": "Strip", "strip_left": 1})", kCorruptFile, "\"strip_left\" is 1"},
          {R"({"type": "Sequence", "normalizers": {}})", kCorruptFile, "expected an array"},
      });
}

TEST(Normalizers, StopATextThatGrowsWithoutEnd) {
  const auto replace = normalizers::read(parse_json(
      R"({"type": "Replace", "pattern": {"String": "a"}, "content": "aaaaaaaaaaaaaaaa"})"));
  EXPECT_EQ(replace->apply("aa", 32), std::string(32, 'a'));
  EXPECT_EQ(test::error_kind([&] { replace->apply("aaa", 32); }), ErrorKind::kUnsupported);
  const auto prepend = normalizers::read(parse_json(R"({"type": "Prepend", "prepend": "12345"})"));
  EXPECT_EQ(test::error_kind([&] { prepend->apply("6", 5); }), ErrorKind::kUnsupported);
}

TEST(Pretokenizers, NameWhatIsWrong) {
  using enum ErrorKind;
  expect_refused(
      pretokenizers::read,
      {
          {R"({"type": "BertPreTokenizer2"})", kUnsupported,
           "\"BertPreTokenizer2\" is not supported"},
          {R"({"type": "Punctuation", "behavior": "isolated"})", kCorruptFile, "expected Isolated"},
          {R"({"type": "Split", "pattern": {"String": "-"}})", kCorruptFile,
           "\"behavior\" is \"\""},
          {R"({"type": "Metaspace"})", kCorruptFile, "\"replacement\" is missing"},
          {R"({"type": "Metaspace", "replacement": "ab"})", kCorruptFile, "expected one character"},
          {R"({"type": "Metaspace", "replacement": ""})", kCorruptFile, "expected one character"},
          {R"({"type": "Metaspace", "replacement": "_", "prepend_scheme": "last"})", kCorruptFile,
           "expected always, first or never"},
          {R"({"type": "Metaspace", "replacement": "_", "add_prefix_space": false,
           "prepend_scheme": "always"})",
           kCorruptFile, "\"add_prefix_space\" is false, but"},
      });
}

TEST(Decoders, NameWhatIsWrong) {
  using enum ErrorKind;
  expect_refused(
      decoders::read,
      {
          {R"({"type": "CTC"})", kUnsupported, "\"CTC\" is not supported"},
          {R"({"type": "Strip", "content": "ab"})", kCorruptFile, "expected one character"},
          {R"({"type": "Strip", "content": "a", "start": -1})", kCorruptFile, "\"start\" is -1"},
          {R"({"type": "Replace", "pattern": {"String": 3}, "content": ""})", kCorruptFile,
           "\"String\""},
      });
}

TEST(Postprocessors, NameWhatIsWrong) {
  using enum ErrorKind;
  expect_refused(postprocessors::read,
                 {
                     {R"({"type": "RobertaProcessing", "cls": ["<s>"], "sep": ["</s>", 4]})",
                      kCorruptFile, "\"cls\" is not a pair"},
                     {R"({"type": "RobertaProcessing", "cls": ["<s>", -1], "sep": ["</s>", 4]})",
                      kCorruptFile, "\"cls\" is not a pair"},
                     {R"({"type": "TemplateProcessing", "single": [], "special_tokens": {}})",
                      kUnsupported, "leaves the text out"},
                     {R"({"type": "TemplateProcessing", "single": [{"Sequence": {"id": "B"}}],
           "special_tokens": {}})",
                      kUnsupported, "uses text B"},
                     {R"({"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A"}},
           {"Sequence": {"id": "A"}}], "special_tokens": {}})",
                      kUnsupported, "used a text already"},
                     {R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}],
           "special_tokens": {}})",
                      kCorruptFile, "special token \"<s>\": \"<s>\" is missing"},
                 });
}

TEST(Sequences, OfMorePartsThanAnyRealFileAreRefused) {
  Json parts = Json::array();
  for (int i = 0; i < 257; ++i) parts.push_back({{"type", "NFC"}});
  const Json sequence = {{"type", "Sequence"}, {"normalizers", parts}};
  EXPECT_EQ(test::error_kind([&] { check_size(sequence); }), ErrorKind::kUnsupported);
  parts.erase(0);
  parts.erase(0);
  EXPECT_NO_THROW(check_size({{"type", "Sequence"}, {"normalizers", parts}}));
}

}  // namespace
}  // namespace nibble::tokenizer
