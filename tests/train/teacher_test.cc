#include "train/teacher.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "session/demo_copy.h"
#include "support/error_text.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

namespace fs = std::filesystem;

TEST(Teacher, OfOtherTokensIsRefusedWhateverTheirNumber) {
  const fs::path demo = fs::path(kSourceFolder) / "assets/demo";
  const test::TempDir dir;
  fs::copy(demo, dir / "other", fs::copy_options::recursive);
  const ModelSource student(demo);
  EXPECT_NO_THROW(require_same_tokens(student, ModelSource(dir / "other")));
  // Two tokens with each other's ids.
  std::string file = read_file(dir / "other/tokenizer.json", 64u << 20);
  const auto number_of = [&](const std::string& token) {
    const std::size_t at = file.find("\"" + token + "\":");
    EXPECT_NE(at, std::string::npos) << token;
    const std::size_t begin = file.find_first_of("0123456789", at + token.size() + 3);
    return std::pair(begin, file.find_first_not_of("0123456789", begin) - begin);
  };
  const auto [a, a_length] = number_of("a");
  const auto [b, b_length] = number_of("b");
  ASSERT_EQ(a_length, b_length);
  for (std::size_t i = 0; i < a_length; ++i) std::swap(file[a + i], file[b + i]);
  fs::remove(dir / "other/tokenizer.json");
  write_file(dir / "other/tokenizer.json", file);
  const std::string text =
      test::error_text([&] { require_same_tokens(student, ModelSource(dir / "other")); });
  EXPECT_NE(text.find("is \"b\" for the teacher and \"a\" for the model"), std::string::npos)
      << text;
}

}  // namespace
}  // namespace nibble
