#include "quantize/calibration/calibration.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "base/text.h"
#include "nibble/error.h"
#include "support/error_text.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::TempDir;

const fs::path kDemo = fs::path(kSourceFolder) / "assets" / "demo";

Calibration gather(const CalibrationOptions& options) {
  const ModelSource source(kDemo);
  const auto tokenizer = Tokenizer::open(kDemo);
  return gather_calibration(source, *tokenizer, options, Compute::kFloat32, {});
}

std::string sentences(int count) {
  std::string text;
  for (int i = 0; i < count; ++i)
    text += cat("Line ", i, " tells of the sea and the long road home.\n");
  return text;
}

TEST(Calibration, TakesTheFirstWindowsOfAText) {
  const TempDir folder;
  write_file(folder / "a.txt", sentences(200));
  CalibrationOptions options{.sources = {{folder / "a.txt", 1}}, .samples = 3, .length = 50};
  const Calibration result = gather(options);
  auto all = Tokenizer::open(kDemo)->encode(sentences(200));
  all.resize(150);
  EXPECT_EQ(result.ids, all);
  EXPECT_EQ(result.hash.size(), 64u);
}

TEST(Calibration, ReadsEveryKindOfJsonLine) {
  const TempDir folder;
  write_file(folder / "a.jsonl",
             "{\"text\": \"One day\"}\n\n{\"prompt\": \"Who\", \"completion\": \" came?\"}\n"
             "{\"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}\n");
  CalibrationOptions options{.sources = {{folder / "a.jsonl", 1}}, .samples = 1, .length = 6};
  auto expected = Tokenizer::open(kDemo)->encode("One day\n\nWho came?\n\nHello");
  expected.resize(6);
  EXPECT_EQ(gather(options).ids, expected);
}

// The same three rows, as users have them.
TEST(Calibration, GivesTheSameTokensForTheSameRowsInAnyForm) {
  const TempDir folder;
  const std::string a = R"({"text": "Größe {1}"})";
  const std::string b = R"({"text": "[a]\n \"b\" the sea and the long road home"})";
  const std::string c = R"({"id": 7, "text": "the end"})";
  const std::vector<std::string> forms = {
      "Größe {1}\n\n[a]\n \"b\" the sea and the long road home\n\nthe end",
      a + "\n" + b + "\n" + c + "\n",
      "\xEF\xBB\xBF" + a + "\n" + b + "\n" + c,
      a + "\r\n\r\n" + b + "\r\n" + c + "\r\n",
      "[" + a + ", " + b + ", " + c + "]",
      "[\n  " + a + ",\n  " + b + ",\n  " + c + "\n]\n",
      "\n[\n {\n  \"text\":\n   \"Gr\\u00f6\\u00dfe {1}\"\n },\n " + b + ", " + c + "]",
      R"(["Größe {1}", "[a]\n \"b\" the sea and the long road home", "the end"])",
      R"({"prompt": "Größe", "completion": " {1}"})" + b + c,
      "{\"id\": 6}\n" + a + "\n" + b + "\n" + c,
  };
  CalibrationOptions options{.sources = {{folder / "rows", 1}}, .samples = 2, .length = 9};
  std::string expected;
  for (const std::string& form : forms) {
    write_file(folder / "rows", form);
    const Calibration result = gather(options);
    if (expected.empty()) expected = result.hash;
    EXPECT_EQ(result.hash, expected) << form;
  }
}

TEST(Calibration, ReadsUtf16AsTheTextItHolds) {
  const TempDir folder;
  std::string wide = "\xFF\xFE";
  for (const char c : sentences(20)) wide += {c, '\0'};
  write_file(folder / "wide.txt", wide);
  write_file(folder / "plain.txt", sentences(20));
  CalibrationOptions options{.sources = {{folder / "wide.txt", 1}}, .samples = 2, .length = 40};
  const std::string hash = gather(options).hash;
  options.sources[0].path = folder / "plain.txt";
  EXPECT_EQ(gather(options).hash, hash);
}

TEST(Calibration, ReadsAPlainTextThatBeginsWithABrace) {
  const TempDir folder;
  write_file(folder / "a.txt", "{chapter one}\n\n" + sentences(20));
  CalibrationOptions options{.sources = {{folder / "a.txt", 1}}, .samples = 1, .length = 40};
  auto expected = Tokenizer::open(kDemo)->encode("{chapter one}\n\n" + sentences(20));
  expected.resize(40);
  EXPECT_EQ(gather(options).ids, expected);
}

TEST(Calibration, NotesTheRowsThatHaveNoText) {
  const TempDir folder;
  write_file(folder / "a.jsonl", "{\"text\": \"the long road home\"}\n{\"url\": \"x\"}\n");
  CalibrationOptions options{.sources = {{folder / "a.jsonl", 1}}, .samples = 1, .length = 3};
  const Calibration result = gather(options);
  ASSERT_EQ(result.notes.size(), 1u);
  EXPECT_NE(result.notes[0].find("a.jsonl: 1 of 2 rows"), std::string::npos) << result.notes[0];
}

TEST(Calibration, RefusesDamagedRowsAndBadBytesWithTheLine) {
  const TempDir folder;
  CalibrationOptions options{.sources = {{folder / "a.jsonl", 1}}, .samples = 1, .length = 3};
  for (const std::string_view bad :
       {"{\"text\": \"a\"}\n{\"text\": \"b\",}\n", "fine\nbad \xE9\n"}) {
    write_file(folder / "a.jsonl", bad);
    const std::string text = test::error_text([&] { gather(options); });
    EXPECT_NE(text.find("line 2"), std::string::npos) << text;
  }
}

TEST(Calibration, TakesWindowsOfIdsAsTheyAre) {
  const TempDir folder;
  write_file(folder / "w.json", "{\"windows\": [[1, 2, 3], [4, 5, 6]]}");
  CalibrationOptions options{.sources = {{folder / "w.json", 1}}, .samples = 2, .length = 3};
  EXPECT_EQ(gather(options).ids, (std::vector<std::int32_t>{1, 2, 3, 4, 5, 6}));
}

TEST(Calibration, RefusesIdsOutsideTheVocabulary) {
  const TempDir folder;
  write_file(folder / "w.json", "{\"windows\": [[1, 2, 4096]]}");
  CalibrationOptions options{.sources = {{folder / "w.json", 1}}, .samples = 1, .length = 3};
  EXPECT_THROW(gather(options), Error);
}

TEST(Calibration, SharesWindowsByWeight) {
  const TempDir folder;
  write_file(folder / "a.txt", sentences(200));
  write_file(folder / "b.txt", std::string(4000, 'z'));
  CalibrationOptions options{
      .sources = {{folder / "a.txt", 3}, {folder / "b.txt", 1}}, .samples = 8, .length = 20};
  const Calibration result = gather(options);
  EXPECT_EQ(result.description, "a.txt (6), b.txt (2)");
  EXPECT_EQ(result.ids.size(), 160u);
}

TEST(Calibration, WritesItsOwnTextTheSameForTheSameSeed) {
  CalibrationOptions options{.samples = 2, .length = 16, .seed = 7};
  const Calibration first = gather(options), second = gather(options);
  options.seed = 8;
  EXPECT_EQ(first.hash, second.hash);
  EXPECT_NE(first.hash, gather(options).hash);
}

TEST(Calibration, RefusesWindowsLongerThanTheModelsContext) {
  CalibrationOptions options{.samples = 1, .length = 513};
  EXPECT_THROW(gather(options), Error);
}

}  // namespace
}  // namespace nibble
