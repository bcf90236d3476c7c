// What codes fitted to one text lose on another.
#include "quantize/calibration/compare_texts.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/parallel.h"
#include "support/error_text.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::TempDir;

const fs::path kDemo = fs::path(kSourceFolder) / "assets" / "demo";

// Windows of ids that rise by `step`.
CalibrationFile windows_in(const TempDir& folder, const std::string& name, int step, int count) {
  Json windows = Json::array();
  for (int w = 0; w < count; ++w) {
    Json window = Json::array();
    for (int i = 0; i < 32; ++i) window.push_back(100 + (137 * w + step * i) % 3900);
    windows.push_back(window);
  }
  write_file(folder / name, Json{{"windows", windows}}.dump());
  return {folder / name, 1};
}

CompareTextsOptions options_in(const TempDir& folder) {
  CompareTextsOptions options;
  options.own = windows_in(folder, "own.json", 11, 8);
  options.texts = {windows_in(folder, "other.json", 97, 4), windows_in(folder, "like.json", 11, 4)};
  options.samples = 4;
  options.length = 32;
  return options;
}

TEST(CompareTexts, FindsTheTextThatIsAlike) {
  const TempDir dir;
  for (const char* method : {"rtn", "gptq"}) {
    CompareTextsOptions options = options_in(dir);
    options.method = method;
    const TextComparison result = compare_texts(kDemo, options, {}, {});
    EXPECT_EQ(result.matrices, 42u);
    ASSERT_EQ(result.texts.size(), 2u);
    EXPECT_EQ(result.own.excess, 0);
    EXPECT_EQ(result.own.windows.samples, 8u);
    EXPECT_EQ(result.texts[0].windows.description, "other.json (4)");
    EXPECT_GT(result.own.output_error, 0);
    EXPECT_LT(result.texts[1].output_error, result.texts[0].output_error) << method;
    for (const ComparedText& text : result.texts)
      EXPECT_NEAR(text.excess, text.output_error / result.own.output_error - 1, 1e-12);
  }
}

TEST(CompareTexts, GivesTheSameForAnyNumberOfThreads) {
  const TempDir dir;
  const CompareTextsOptions options = options_in(dir);
  set_threads(1);
  const TextComparison one = compare_texts(kDemo, options, {}, {});
  set_threads(2);
  const TextComparison two = compare_texts(kDemo, options, {}, {});
  set_threads(0);
  for (std::size_t t = 0; t < one.texts.size(); ++t)
    EXPECT_EQ(one.texts[t].output_error, two.texts[t].output_error);
  EXPECT_EQ(one.own.output_error, two.own.output_error);
}

TEST(CompareTexts, NeedsTwiceAsMuchOfTheOwnText) {
  const TempDir dir;
  CompareTextsOptions options = options_in(dir);
  options.own = options.texts.front();
  EXPECT_EQ(test::error_kind([&] { compare_texts(kDemo, options, {}, {}); }),
            ErrorKind::kInvalidArgument);
  options.method = "hqq";
  EXPECT_EQ(test::error_kind([&] { compare_texts(kDemo, options, {}, {}); }),
            ErrorKind::kInvalidArgument);
}

}  // namespace
}  // namespace nibble
