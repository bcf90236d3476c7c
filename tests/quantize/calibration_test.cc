#include "quantize/calibration.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "base/text.h"
#include "nibble/error.h"
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
