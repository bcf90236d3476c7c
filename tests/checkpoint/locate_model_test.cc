// Names in a cache laid out as the hub's client does.
#include <gtest/gtest.h>

#include "base/files.h"
#include "nibble/checkpoint.h"
#include "nibble/error.h"
#include "support/error_text.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::error_kind;
using test::error_text;

class LocateModel : public testing::Test {
 protected:
  LocateModel() {
    const fs::path repository = dir_ / "models--acme--tiny-llama";
    fs::create_directories(repository / "snapshots" / "abc123");
    fs::create_directories(repository / "refs");
    write_file(repository / "refs" / "main", "abc123\n");
    snapshot_ = repository / "snapshots" / "abc123";
  }
  std::string locate(const std::string& model) {
    return locate_model(model, {dir_.path()}).string();
  }
  std::string refusal(const std::string& model) {
    EXPECT_EQ(error_kind([&] { locate(model); }), ErrorKind::kNotFound) << model;
    return error_text([&] { locate(model); });
  }

  test::TempDir dir_;
  fs::path snapshot_;
};

TEST_F(LocateModel, FindsTheMainRevisionOfAName) {
  EXPECT_EQ(locate("acme/tiny-llama"), snapshot_);
}

TEST_F(LocateModel, FindsARevisionByNameOrCommit) {
  EXPECT_EQ(locate("acme/tiny-llama@main"), snapshot_);
  EXPECT_EQ(locate("acme/tiny-llama@abc123"), snapshot_);
  EXPECT_NE(refusal("acme/tiny-llama@v2").find("--revision v2"), std::string::npos);
}

TEST_F(LocateModel, PrefersAnExistingPath) { EXPECT_EQ(locate(snapshot_), snapshot_); }

TEST_F(LocateModel, NamesTheCacheTheNearestModelAndTheDownload) {
  const std::string text = refusal("acme/tiny-lama");
  EXPECT_NE(text.find(dir_.path()), std::string::npos);
  EXPECT_NE(text.find("acme/tiny-llama"), std::string::npos);
  EXPECT_NE(text.find("hf download acme/tiny-lama"), std::string::npos);
}

TEST_F(LocateModel, AMistypedPathIsCalledOneBeforeAnyDownload) {
  const test::TempDir here;
  fs::create_directories(here / "outputs/tiny-q4");
  const auto before = fs::current_path();
  fs::current_path(here.path());
  const std::string text = refusal("outputs/tiny-q5");
  fs::current_path(before);
  EXPECT_NE(text.find("there is no file or folder \"outputs/tiny-q5\""), std::string::npos) << text;
  EXPECT_NE(text.find("did you mean outputs/tiny-q4?"), std::string::npos) << text;
  EXPECT_NE(text.find("fix: check the path"), std::string::npos) << text;
}

TEST_F(LocateModel, RefusesNamesThatLeadElsewhere) {
  for (const char* name :
       {"", "../../etc/none", "a/b/c", "a--b/c", "acme/..", "/none/at/all", "-x/y",
        "acme/tiny-llama@../../x", "acme/tiny-llama@", "a b/c", "acme/x.git"})
    refusal(name);
}

TEST_F(LocateModel, RefusesASnapshotThatLeavesTheCache) {
  const test::TempDir outside;
  const fs::path repository = dir_ / "models--acme--tiny-llama";
  fs::create_directory_symlink(outside.path(), repository / "snapshots" / "def");
  write_file(repository / "refs" / "main", "../../..");
  refusal("acme/tiny-llama");
  write_file(repository / "refs" / "main", "def");
  EXPECT_EQ(error_kind([&] { locate("acme/tiny-llama"); }), ErrorKind::kCorruptFile);
}

}  // namespace
}  // namespace nibble
