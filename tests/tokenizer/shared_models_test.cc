// Real tokenizers, where they are at hand.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "nibble/tokenizer.h"
#include "support/paths.h"

namespace nibble {
namespace {

class SharedModel : public testing::TestWithParam<const char*> {};

TEST_P(SharedModel, GivesBackTheTextItRead) {
  const std::filesystem::path shared = std::string(kSourceFolder) + "/../shared";
  const auto folder = shared / "models" / GetParam();
  if (!std::filesystem::exists(folder / "tokenizer.json")) GTEST_SKIP() << folder << " is absent";
  std::ifstream stream(shared / "text/books_eval.txt", std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(stream), {});
  text.resize(text.rfind(' ', 200'000));
  const auto tokenizer = Tokenizer::open(folder);
  const auto ids = tokenizer->encode(text);
  EXPECT_LT(ids.size(), text.size());
  EXPECT_EQ(tokenizer->decode(ids), text);
}

INSTANTIATE_TEST_SUITE_P(All, SharedModel, testing::Values("ref8m", "stories260k"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace nibble
