// What stands at an output path is nothing, the old output or the new one.
#include "checkpoint/output_folder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "nibble/error.h"
#include "support/error_text.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::error_kind;
using test::error_text;
using test::TempDir;

void write_output(const fs::path& target, std::string_view config, bool force = false) {
  OutputFolder output(target, {.force = force, .inputs = {}});
  output.write_text("config.json", config);
  output.write_text("nibble.json", "{}");
  output.finish();
}

TEST(OutputFolder, AppearsOnlyWhenItIsComplete) {
  const TempDir dir;
  OutputFolder output(dir / "out", {});
  output.write_text("config.json", "{}");
  EXPECT_FALSE(fs::exists(dir / "out"));
  output.finish();
  EXPECT_EQ(read_file(dir / "out/config.json", 100), "{}");
  EXPECT_FALSE(fs::exists(dir / "out.partial"));
}

TEST(OutputFolder, LeavesNothingBehindWithoutFinish) {
  const TempDir dir;
  { OutputFolder(dir / "out", {}).write_text("config.json", "{}"); }
  EXPECT_TRUE(fs::is_empty(dir.path()));
}

TEST(OutputFolder, UsesAnEmptyFolderAndMissingParents) {
  const TempDir dir;
  fs::create_directory(dir / "out");
  write_output(dir / "out", "{}");
  write_output(dir / "a/b/out/", "{}");
  EXPECT_TRUE(fs::exists(dir / "a/b/out/config.json"));
}

TEST(OutputFolder, RefusesANonEmptyFolderWithoutForce) {
  const TempDir dir;
  write_output(dir / "out", "old");
  EXPECT_EQ(error_kind([&] { write_output(dir / "out", "new"); }), ErrorKind::kInvalidArgument);
  EXPECT_NE(error_text([&] { write_output(dir / "out", "new"); }).find("--force"),
            std::string::npos);
  EXPECT_EQ(read_file(dir / "out/config.json", 100), "old");
}

TEST(OutputFolder, KeepsTheOldOutputUntilTheNewOneIsComplete) {
  const TempDir dir;
  write_output(dir / "out", "old");
  {
    OutputFolder dropped(dir / "out", {.force = true, .inputs = {}});
    dropped.write_text("config.json", "half");
    EXPECT_EQ(read_file(dir / "out/config.json", 100), "old");
  }
  EXPECT_EQ(read_file(dir / "out/config.json", 100), "old");
  write_output(dir / "out", "new", true);
  EXPECT_EQ(read_file(dir / "out/config.json", 100), "new");
  EXPECT_FALSE(fs::exists(dir / "out.partial"));
}

TEST(OutputFolder, NeverReplacesAnOutputThatSomebodyPutAFileInto) {
  const TempDir dir;
  write_output(dir / "out", "old");
  write_file(dir / "out/notes.txt", "mine");
  EXPECT_NE(error_text([&] { write_output(dir / "out", "new", true); }).find("it holds notes.txt"),
            std::string::npos);
  EXPECT_EQ(read_file(dir / "out/notes.txt", 100), "mine");
  fs::remove(dir / "out/notes.txt");
  fs::rename(dir / "out/SHA256SUMS", dir / "sums");
  EXPECT_EQ(error_kind([&] { write_output(dir / "out", "new", true); }),
            ErrorKind::kInvalidArgument);
  fs::rename(dir / "sums", dir / "out/SHA256SUMS");
  write_output(dir / "out", "new", true);
  EXPECT_EQ(read_file(dir / "out/config.json", 100), "new");
}

TEST(OutputFolder, NeverReplacesAFolderThatIsNoCheckpoint) {
  const TempDir dir;
  fs::create_directory(dir / "photos");
  write_file(dir / "photos/a.jpg", "x");
  EXPECT_EQ(error_kind([&] { write_output(dir / "photos", "{}", true); }),
            ErrorKind::kInvalidArgument);
  write_output(dir / "out", "{}");
  fs::create_directory(dir / "out/work");
  EXPECT_EQ(error_kind([&] { write_output(dir / "out", "{}", true); }),
            ErrorKind::kInvalidArgument);
  // Many programs have a config.json.
  fs::create_directory(dir / "project");
  write_file(dir / "project/config.json", "{}");
  write_file(dir / "project/thesis.tex", "x");
  EXPECT_EQ(error_kind([&] { write_output(dir / "project", "{}", true); }),
            ErrorKind::kInvalidArgument);
  EXPECT_TRUE(fs::exists(dir / "project/thesis.tex"));
  // So have models that others wrote.
  write_file(dir / "project/model.safetensors", "x");
  EXPECT_EQ(error_kind([&] { write_output(dir / "project", "{}", true); }),
            ErrorKind::kInvalidArgument);
  EXPECT_TRUE(fs::exists(dir / "project/model.safetensors"));
  write_file(dir / "file", "x");
  EXPECT_EQ(error_kind([&] { write_output(dir / "file", "{}", true); }),
            ErrorKind::kInvalidArgument);
}

TEST(OutputFolder, RefusesTheInputThroughAnyLink) {
  const TempDir dir;
  fs::create_directory(dir / "model");
  write_file(dir / "model/config.json", "{}");
  fs::create_directory_symlink(dir / "model", dir / "link");
  const auto kind = [&](const fs::path& output, const fs::path& input) {
    return error_kind([&] { OutputFolder(output, {.force = true, .inputs = {input}}); });
  };
  for (const char* output : {"model", "link", "model/out", "link/a/b", "model/../model"})
    EXPECT_EQ(kind(dir / output, dir / "model"), ErrorKind::kInvalidArgument) << output;
  EXPECT_EQ(kind(dir / "model", dir / "link"), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind(dir.path(), dir / "model"), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind(dir / "model", dir / "model/config.json"), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind(dir / "other", dir / "model"), std::nullopt);
  EXPECT_EQ(read_file(dir / "model/config.json", 10), "{}");
}

TEST(OutputFolder, IsWrittenByOneProcessAtATime) {
  const TempDir dir;
  OutputFolder first(dir / "out", {});
  first.write_text("config.json", "mine");
  EXPECT_EQ(error_kind([&] { OutputFolder(dir / "out", {}); }), ErrorKind::kResource);
  first.finish();
  EXPECT_EQ(read_file(dir / "out/config.json", 100), "mine");
}

TEST(OutputFolder, ClearsAwayWhatAKilledRunLeft) {
  const TempDir dir;
  fs::create_directory(dir / "killed");
  {
    OutputFolder output(dir / "out", {});
    output.write_text("model.safetensors", "half");
    fs::copy(dir / "out.partial", dir / "killed", fs::copy_options::recursive);
  }
  fs::rename(dir / "killed", dir / "out.partial");
  write_output(dir / "out", "{}");
  EXPECT_FALSE(fs::exists(dir / "out/model.safetensors"));
  EXPECT_FALSE(fs::exists(dir / "out.partial"));
}

TEST(OutputFolder, LeavesAPartialFolderThatIsNotItsOwn) {
  const TempDir dir;
  fs::create_directory(dir / "out.partial");
  write_file(dir / "out.partial/thesis.tex", "x");
  const auto write = [&] { write_output(dir / "out", "{}", true); };
  EXPECT_EQ(error_kind(write), ErrorKind::kInvalidArgument);
  EXPECT_NE(error_text(write).find("out.partial: is in the way"), std::string::npos);
  EXPECT_EQ(read_file(dir / "out.partial/thesis.tex", 10), "x");
  EXPECT_FALSE(fs::exists(dir / "out"));
  fs::remove_all(dir / "out.partial");
  write_file(dir / "out.partial", "x");
  EXPECT_EQ(error_kind(write), ErrorKind::kInvalidArgument);
  EXPECT_EQ(read_file(dir / "out.partial", 10), "x");
}

TEST(OutputFolder, HoldsNoMarkOfItsOwnWhenItIsComplete) {
  const TempDir dir;
  write_output(dir / "out", "old");
  write_output(dir / "out", "new", true);
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(dir / "out"))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"SHA256SUMS", "config.json", "nibble.json"}));
}

TEST(OutputFolder, CopiesSideFilesUntouchedAndNothingElse) {
  const TempDir dir;
  fs::create_directories(dir / "model/additional_chat_templates");
  for (const char* name :
       {"tokenizer.json", "generation_config.json", "LICENSE.txt", "README.md", "config.json",
        "model.safetensors", "additional_chat_templates/rag.jinja"})
    write_file(dir / "model" / name, std::string("text of ") + name);
  OutputFolder output(dir / "out", {.force = false, .inputs = {dir / "model"}});
  const auto copied = output.copy_side_files(dir / "model");
  EXPECT_EQ(copied,
            (std::vector<std::string>{"LICENSE.txt", "generation_config.json", "tokenizer.json",
                                      "additional_chat_templates/rag.jinja"}));
  output.finish();
  EXPECT_EQ(read_file(dir / "out/tokenizer.json", 100), "text of tokenizer.json");
  EXPECT_FALSE(fs::exists(dir / "out/README.md"));
}

TEST(OutputFolder, WritesChecksumsThatTheUsualToolAccepts) {
  const TempDir dir;
  OutputFolder output(dir / "out", {});
  output.write_text("config.json", "abc");
  output.finish();
  EXPECT_EQ(read_file(dir / "out/SHA256SUMS", 1000),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  config.json\n");
  const std::string check =
      "cd '" + (dir / "out").string() + "' && sha256sum --status -c SHA256SUMS";
  EXPECT_EQ(std::system(check.c_str()), 0);
}

}  // namespace
}  // namespace nibble
