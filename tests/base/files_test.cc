// Mapped reading, atomic writing and hashes.
#include "base/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "base/staged.h"
#include "nibble/error.h"
#include "support/error_text.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::error_kind;
using test::error_text;
using test::TempDir;

TEST(MappedFile, ShowsTheBytesAndReadsThemAgainAfterDrop) {
  const TempDir dir;
  write_file(dir / "a", "hello");
  const MappedFile file(dir / "a");
  file.drop(file.bytes());
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(file.bytes().data()), 5), "hello");
}

TEST(MappedFile, AllowsAnEmptyFile) {
  const TempDir dir;
  write_file(dir / "a", "");
  EXPECT_TRUE(MappedFile(dir / "a").bytes().empty());
}

TEST(MappedFile, RefusesWhatIsNotARegularFileWithoutWaiting) {
  const TempDir dir;
  ASSERT_EQ(mkfifo((dir / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(error_kind([&] { MappedFile(dir / "pipe"); }), ErrorKind::kUnsupported);
  EXPECT_EQ(error_kind([&] { MappedFile(dir.path()); }), ErrorKind::kUnsupported);
  EXPECT_EQ(error_kind([] { MappedFile("/dev/zero"); }), ErrorKind::kUnsupported);
}

TEST(MappedFile, NamesAnAbsentFile) {
  const TempDir dir;
  EXPECT_EQ(error_kind([&] { MappedFile(dir / "none"); }), ErrorKind::kNotFound);
  EXPECT_NE(error_text([&] { MappedFile(dir / "none"); }).find("none"), std::string::npos);
  fs::create_symlink("nowhere", dir / "dangling");
  EXPECT_EQ(error_kind([&] { MappedFile(dir / "dangling"); }), ErrorKind::kNotFound);
}

TEST(ReadFile, RefusesAFileAboveItsLimit) {
  const TempDir dir;
  write_file(dir / "a", "12345");
  EXPECT_EQ(read_file(dir / "a", 5), "12345");
  EXPECT_EQ(error_kind([&] { read_file(dir / "a", 4); }), ErrorKind::kCorruptFile);
}

// As a disk that is full at the last byte.
TEST(AtomicFile, LeavesNothingBehindWhenTheLastByteDoesNotFit) {
  const TempDir dir;
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto signal_before = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit few{9999, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &few), 0);
  const std::string text = error_text([&] { write_file(dir / "out", std::string(10'000, 'x')); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, signal_before);
  EXPECT_NE(text.find("a file may not be so large here"), std::string::npos) << text;
  EXPECT_TRUE(fs::is_empty(dir.path()));
}

TEST(AtomicFile, LeavesNothingBehindWithoutCommit) {
  const TempDir dir;
  {
    AtomicFile file(dir / "a", 1000);
    file.write("half");
    EXPECT_TRUE(fs::exists(dir / "a.partial"));
  }
  EXPECT_TRUE(fs::is_empty(dir.path()));
}

TEST(AtomicFile, KeepsTheOldContentUntilCommit) {
  const TempDir dir;
  write_file(dir / "a", "old");
  AtomicFile file(dir / "a");
  file.write("new text");
  EXPECT_EQ(read_file(dir / "a", 100), "old");
  file.commit();
  EXPECT_EQ(read_file(dir / "a", 100), "new text");
  EXPECT_FALSE(fs::exists(dir / "a.partial"));
}

TEST(AtomicFile, WritesAtAnyOffsetAndDropsTheUnusedReserve) {
  const TempDir dir;
  AtomicFile file(dir / "a", 1 << 20);
  file.write_at(3, std::as_bytes(std::span("def", 3)));
  file.write_at(0, std::as_bytes(std::span("abc", 3)));
  file.commit();
  EXPECT_EQ(read_file(dir / "a", 100), "abcdef");
  struct stat status {};
  ASSERT_EQ(stat((dir / "a").c_str(), &status), 0);
  EXPECT_LE(status.st_blocks * 512, 1 << 16);
}

TEST(AtomicFile, ReplacesWhatAKilledRunLeft) {
  const TempDir dir;
  {
    AtomicFile killed(dir / "a");
    killed.write("left over, and longer than the new text");
    fs::rename(dir / "a.partial", dir / "kept");
  }
  fs::rename(dir / "kept", dir / "a.partial");
  check_partial(dir / "a");
  write_file(dir / "a", "new");
  EXPECT_EQ(read_file(dir / "a", 100), "new");
  EXPECT_FALSE(fs::exists(dir / "a.partial"));
}

TEST(AtomicFile, LeavesAPartialFileThatIsNotItsOwn) {
  const TempDir dir;
  std::ofstream(dir / "a.partial") << "a download";
  EXPECT_EQ(error_kind([&] { write_file(dir / "a", "new"); }), ErrorKind::kInvalidArgument);
  EXPECT_EQ(error_kind([&] { check_partial(dir / "a"); }), ErrorKind::kInvalidArgument);
  EXPECT_EQ(read_file(dir / "a.partial", 100), "a download");
  EXPECT_FALSE(fs::exists(dir / "a"));
  fs::create_directory(dir / "b.partial");
  EXPECT_EQ(error_kind([&] { write_file(dir / "b", "new"); }), ErrorKind::kInvalidArgument);
}

TEST(AtomicFile, HasTheUsualRightsWhenItIsComplete) {
  const TempDir dir;
  std::ofstream(dir / "usual") << "x";
  write_file(dir / "a", "x");
  EXPECT_EQ(fs::status(dir / "a").permissions(), fs::status(dir / "usual").permissions());
}

TEST(AtomicFile, RefusesAFileThatAnotherWriterHolds) {
  const TempDir dir;
  AtomicFile first(dir / "a");
  EXPECT_EQ(error_kind([&] { AtomicFile second(dir / "a"); }), ErrorKind::kResource);
  first.write("mine");
  first.commit();
  EXPECT_EQ(read_file(dir / "a", 100), "mine");
}

TEST(AtomicFile, SaysHowManyBytesAFullDiskLacks) {
  const TempDir dir;
  const auto reserve = [&] { AtomicFile file(dir / "a", 1ull << 60); };
  EXPECT_EQ(error_kind(reserve), ErrorKind::kResource);
  EXPECT_NE(error_text(reserve).find("1152921504606846976"), std::string::npos);
  EXPECT_NE(error_text(reserve).find("free"), std::string::npos);
  EXPECT_TRUE(fs::is_empty(dir.path()));
}

TEST(SameFile, SeesThroughLinks) {
  const TempDir dir;
  write_file(dir / "a", "x");
  write_file(dir / "b", "x");
  fs::create_symlink("a", dir / "soft");
  fs::create_hard_link(dir / "a", dir / "hard");
  EXPECT_TRUE(same_file(dir / "a", dir / "soft"));
  EXPECT_TRUE(same_file(dir / "a", dir / "hard"));
  EXPECT_TRUE(same_file(dir / "none", dir / "x/../none"));
  EXPECT_FALSE(same_file(dir / "a", dir / "b"));
  EXPECT_FALSE(same_file(dir / "a", dir / "none"));
}

}  // namespace
}  // namespace nibble
