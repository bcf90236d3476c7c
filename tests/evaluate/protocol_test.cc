// Windows of each protocol, counted by hand.
#include "evaluate/protocol.h"

#include <gtest/gtest.h>

#include <set>

#include "nibble/error.h"

namespace nibble {
namespace {

std::vector<Window> windows_of(std::string_view name, std::size_t tokens, std::size_t context = 0) {
  const NamedProtocol named = protocols::named(name);
  return named.protocol->windows({.tokens = tokens, .number = named.number, .context = context});
}

// The text's tokens that are scored, in order.
std::vector<std::size_t> scored(const std::vector<Window>& windows) {
  std::vector<std::size_t> tokens;
  for (const Window& window : windows)
    for (std::size_t i = window.first_scored; i < window.length; ++i)
      tokens.push_back(window.first + i);
  return tokens;
}

TEST(Protocol, GptqScoresAllButTheFirstTokenOfAdjacentWindows) {
  EXPECT_EQ(scored(windows_of("gptq-4", 11)), (std::vector<std::size_t>{1, 2, 3, 5, 6, 7}));
}

TEST(Protocol, LlamaCppScoresHalfAWindowLessOneToken) {
  // A context of 512 scores 255 tokens: 257 to 511.
  const auto windows = windows_of("llamacpp-512", 1100);
  ASSERT_EQ(windows.size(), 2u);
  EXPECT_EQ(scored(windows).size(), 2 * 255u);
  EXPECT_EQ(scored(windows).front(), 257u);
  EXPECT_EQ(scored(windows).back(), 1023u);
}

TEST(Protocol, StrideScoresEveryTokenButTheFirstOnce) {
  const auto windows = windows_of("hf-stride-3", 20, 8);
  std::vector<std::size_t> all;
  for (std::size_t i = 1; i < 20; ++i) all.push_back(i);
  EXPECT_EQ(scored(windows), all);
  EXPECT_EQ(windows[1].first, 3u);
  EXPECT_EQ(windows[1].first_scored, 5u);  // tokens 8, 9, 10 are new
  EXPECT_EQ(windows.back().first + windows.back().length, 20u);
}

TEST(Protocol, StrideAboveTheContextLeavesGaps) {
  EXPECT_EQ(scored(windows_of("hf-stride-5", 12, 3)), (std::vector<std::size_t>{1, 2, 6, 7, 11}));
}

TEST(Protocol, ShortTextIsOneShortStrideWindow) {
  const auto windows = windows_of("hf-stride-512", 6, 1024);
  ASSERT_EQ(windows.size(), 1u);
  EXPECT_EQ(windows[0].length, 6u);
}

TEST(Protocol, NamesSurviveParsing) {
  for (const char* name : {"gptq-2048", "llamacpp-512", "hf-stride-256"})
    EXPECT_EQ(protocols::named(name).name(), name);
}

TEST(Protocol, RefusesNamesItDoesNotKnow) {
  for (const char* name :
       {"", "gptq", "gptq-", "gptq-x", "gptq-1", "gptq-12x", "gptq--5", "-512", "mystery-512",
        "gptq-99999999999999999999", "llamacpp-2", "hf-stride-0"}) {
    try {
      protocols::named(name);
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument) << name;
    }
  }
}

TEST(Protocol, FamiliesAreDistinct) {
  std::set<std::string_view> families;
  for (const Protocol* protocol : protocols::all())
    EXPECT_TRUE(families.insert(protocol->family).second) << protocol->family;
}

}  // namespace
}  // namespace nibble
