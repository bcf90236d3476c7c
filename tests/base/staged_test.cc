// What a signal handler removes before the program ends at once.
#include "base/staged.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::TempDir;

TEST(Staged, FilesAndFoldersAreRemovedWithWhatIsInThem) {
  const TempDir dir;
  fs::create_directories(dir / "out.partial/templates");
  for (int i = 0; i < 300; ++i) write_file(dir / ("out.partial/file" + std::to_string(i)), "x");
  write_file(dir / "out.partial/templates/rag.jinja", "x");
  write_file(dir / "half", "x");
  write_file(dir / "kept", "x");
  stage(dir / "out.partial");
  stage(dir / "half");
  remove_staged();
  unstage(dir / "out.partial");
  unstage(dir / "half");
  EXPECT_FALSE(fs::exists(dir / "out.partial"));
  EXPECT_FALSE(fs::exists(dir / "half"));
  EXPECT_TRUE(fs::exists(dir / "kept"));
}

TEST(Staged, WhatIsFinishedStays) {
  const TempDir dir;
  write_file(dir / "a", "x");
  write_file(dir / "b", "x");
  for (const char* name : {"a", "b"}) {
    stage(dir / name);
    unstage(dir / name);
  }
  remove_staged();
  EXPECT_TRUE(fs::exists(dir / "a"));
  EXPECT_TRUE(fs::exists(dir / "b"));
}

TEST(Staged, LinksAreRemovedAndNotFollowed) {
  const TempDir dir;
  fs::create_directory(dir / "elsewhere");
  write_file(dir / "elsewhere/kept", "x");
  fs::create_directory(dir / "out.partial");
  fs::create_symlink(dir / "elsewhere", dir / "out.partial/link");
  stage(dir / "out.partial");
  remove_staged();
  unstage(dir / "out.partial");
  EXPECT_FALSE(fs::exists(dir / "out.partial"));
  EXPECT_TRUE(fs::exists(dir / "elsewhere/kept"));
}

TEST(Staged, AFileBeingWrittenIsStaged) {
  const TempDir dir;
  AtomicFile file(dir / "out");
  file.write("half");
  remove_staged();
  EXPECT_FALSE(fs::exists(file.partial_path()));
}

}  // namespace
}  // namespace nibble
