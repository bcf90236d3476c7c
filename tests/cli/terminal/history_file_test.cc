#include "cli/terminal/history_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "nibble/error.h"
#include "support/temp_dir.h"

namespace nibble::cli {
namespace {

using test::TempDir;

TEST(HistoryFile, GivesBackWhatWasAppended) {
  const TempDir folder;
  const HistoryFile file(folder / "a/b/history");
  EXPECT_TRUE(file.load().empty());
  const std::vector<std::string> messages = {"one", "two\nlines", "back\\slash\\n", "日本"};
  for (const std::string& message : messages) file.append(message);
  EXPECT_EQ(file.load(), messages);
}

TEST(HistoryFile, DialoguesBesideEachOtherLoseNothing) {
  const TempDir folder;
  const HistoryFile first(folder / "history"), second(folder / "history");
  first.append("one");
  second.append("two");
  first.append("three");
  EXPECT_EQ(second.load(), (std::vector<std::string>{"one", "two", "three"}));
}

TEST(HistoryFile, IsCutToTheNewestMessagesOnceItHasTwiceAsMany) {
  const TempDir folder;
  std::ofstream lines(folder / "history");
  for (std::size_t i = 0; i < 2 * HistoryFile::kMostMessages; ++i) lines << "message " << i << "\n";
  lines.close();
  const HistoryFile file(folder / "history");
  const auto size = std::filesystem::file_size(folder / "history");
  EXPECT_EQ(file.load().front(), "message 1000");
  EXPECT_EQ(file.load().size(), HistoryFile::kMostMessages);
  EXPECT_LT(std::filesystem::file_size(folder / "history"), size);
  EXPECT_EQ(std::filesystem::status(folder / "history").permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST(HistoryFile, KeepsNoMessageOfManyPages) {
  const TempDir folder;
  const HistoryFile file(folder / "history");
  file.append(std::string(20000, 'x'));
  file.append("short");
  EXPECT_EQ(file.load(), std::vector<std::string>{"short"});
}

TEST(HistoryFile, SaysWhereItCannotWrite) {
  const TempDir folder;
  std::ofstream(folder / "file") << "no folder";
  try {
    HistoryFile(folder / "file/history").append("one");
    FAIL() << "wrote below a file";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("file/history"), std::string::npos);
  }
}

}  // namespace
}  // namespace nibble::cli
