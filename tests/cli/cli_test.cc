// Every *.test file of this folder is one test: command lines and what they must print.
// *.test_slow files are the same, under the name Slow.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "support/paths.h"
#include "support/temp_dir.h"
#include "support/text_script.h"

namespace nibble::test {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> scripts_ending_in(const std::string& suffix) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(std::string(kSourceFolder) + "/tests/cli"))
    if (entry.path().extension() == suffix) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

std::string test_name(const ::testing::TestParamInfo<fs::path>& info) {
  return info.param.stem().string();
}

std::vector<std::string> failures_of(const std::string& text) {
  const TempDir folder;
  return run_script(parse_script(text),
                    {.program_folder = fs::weakly_canonical(kProgram).parent_path(),
                     .model = std::string(kSourceFolder) + "/assets/demo",
                     .folder = folder.path()});
}

class CommandLine : public ::testing::TestWithParam<fs::path> {};

TEST_P(CommandLine, PrintsWhatItsFileSays) {
  std::ifstream file(GetParam());
  std::ostringstream text;
  text << file.rdbuf();
  for (const std::string& failure : failures_of(text.str()))
    ADD_FAILURE() << GetParam().filename().string() << ": " << failure;
}

INSTANTIATE_TEST_SUITE_P(Text, CommandLine, ::testing::ValuesIn(scripts_ending_in(".test")),
                         test_name);
INSTANTIATE_TEST_SUITE_P(Slow, CommandLine, ::testing::ValuesIn(scripts_ending_in(".test_slow")),
                         test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(CommandLine);

TEST(TextScript, AcceptsWhatHolds) {
  EXPECT_EQ(failures_of("$ echo '{\"a\": {\"b\": [1, 2.5]}}'; echo oops >&2; exit 3\n"
                        "exit: 3\n"
                        "stdout: \"b\"\n"
                        "stdout~ ^.\"a\"\n"
                        "!stdout: oops\n"
                        "stderr: oops\n"
                        "json: a.b.0 = 1\n"
                        "json: a.b.1 > 2\n"
                        "!json: a.c\n"
                        "!file: nothing-here\n"
                        "$ echo x > made; test -d $TMP\n"
                        "file: made\n"),
            std::vector<std::string>{});
}

TEST(TextScript, ReportsEachKindOfMismatch) {
  for (const std::string expectation :
       {"exit: 1", "stdout: other", "stdout~ ^x$", "!stdout: 1", "stderr: 1", "json: b",
        "json: a = 2", "json: a < 1", "!json: a", "file: none", "!file: .stdout"})
    EXPECT_EQ(failures_of("$ echo '{\"a\": 1}'\n" + expectation + "\n").size(), 1u) << expectation;
}

TEST(TextScript, RefusesSentencesItDoesNotUnderstand) {
  for (const std::string text :
       {"stdout: before any command", "$ true\nstdoutt: x", "# nothing", "$ true\njson~ x"})
    EXPECT_THROW(parse_script(text), std::runtime_error) << text;
}

}  // namespace
}  // namespace nibble::test
