// Python's expressions against Python itself: which it accepts, and where they match.
#include "base/regex/python_regex.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/json.h"
#include "base/regex/regex.h"
#include "support/error_text.h"
#include "support/paths.h"

namespace nibble {
namespace {

Json golden() {
  return read_json(std::filesystem::path(kSourceFolder) / "tests/golden/base/python_regex.json");
}

TEST(PythonRegex, MatchesWherePythonMatches) {
  const Json cases = golden();
  const auto texts = cases["texts"].get<std::vector<std::string>>();
  int compared = 0;
  for (const Json& one : cases["cases"]) {
    if (!one.contains("found")) continue;
    const auto pattern = one["pattern"].get<std::string>();
    const auto found = one["found"].get<std::string>();
    const std::string refusal = test::error_text([&] {
      const Regex regex(pattern, Regex::Syntax::kPython);
      for (std::size_t i = 0; i < texts.size(); ++i, ++compared) {
        std::uint64_t steps = 1'000'000;
        const int start = regex.matches_start(texts[i], steps) ? 1 : 0;
        const int anywhere = regex.matches_anywhere(texts[i], steps) ? 2 : 0;
        EXPECT_EQ(start + anywhere, found[i] - '0') << pattern << " on " << texts[i];
      }
    });
    EXPECT_EQ(refusal, "") << pattern;
  }
  EXPECT_GT(compared, 9'000);
}

TEST(PythonRegex, RefusesWhatPythonRefuses) {
  const Json whole = golden();
  for (const Json& one : whole["cases"]) {
    if (!one.contains("refused")) continue;
    const auto pattern = one["pattern"].get<std::string>();
    EXPECT_EQ(test::error_kind([&] { Regex(pattern, Regex::Syntax::kPython); }),
              ErrorKind::kCorruptFile)
        << pattern << ": " << one["refused"];
  }
}

TEST(PythonRegex, NamesWhatHasNoCounterpart) {
  const auto refusal = [](const char* pattern) {
    return test::error_text([&] { from_python_regex(pattern); });
  };
  EXPECT_NE(refusal(R"(\N{DIGIT ONE})").find("\\N{…} has no counterpart"), std::string::npos);
  EXPECT_NE(refusal("(?a)\\w").find("flag \"a\" (ASCII or locale)"), std::string::npos);
  EXPECT_NE(refusal(std::string(200, '(').c_str()).find("nested deeper"), std::string::npos);
}

}  // namespace
}  // namespace nibble
