// Opening folders and files: what is found, and what is said when it is not.
#include <gtest/gtest.h>

#include <fstream>

#include "checkpoint/sample_files.h"
#include "nibble/checkpoint.h"
#include "nibble/error.h"
#include "support/error_text.h"
#include "support/mutate.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::error_kind;
using test::error_text;
using test::TempDir;
using test::write_folder;

bool says(const fs::path& path, std::string_view words) {
  const std::string text = error_text([&] { open_checkpoint(path); });
  EXPECT_NE(text.find(words), std::string::npos) << text;
  return text.find(words) != std::string::npos;
}

// Replaces `from` in the folder's index.
void edit_index(const TempDir& dir, std::string_view from, std::string_view to) {
  const fs::path path = dir / "model.safetensors.index.json";
  std::string text = read_file(path, 1 << 20);
  const auto at = text.find(from);
  ASSERT_NE(at, std::string::npos);
  write_file(path, text.replace(at, from.size(), to));
}

TEST(OpenCheckpoint, ReadsASingleFileOfAnyName) {
  const TempDir dir;
  write_file(dir / "any.name", test::valid_file());
  const auto reader = open_checkpoint(dir / "any.name");
  EXPECT_EQ(reader->tensors().size(), 5u);
  EXPECT_EQ(reader->bytes(reader->at("scalar")).size(), 8u);
  EXPECT_EQ(reader->files(), std::vector<fs::path>{dir / "any.name"});
}

TEST(OpenCheckpoint, SuggestsTheNearestTensor) {
  const TempDir dir;
  write_file(dir / "model.safetensors", test::valid_file());
  const auto reader = open_checkpoint(dir.path());
  EXPECT_EQ(reader->find("none"), nullptr);
  EXPECT_NE(error_text([&] { reader->at("b.wieght"); }).find("b.weight"), std::string::npos);
  EXPECT_EQ(error_kind([&] { reader->at("b.wieght"); }), ErrorKind::kNotFound);
}

TEST(OpenCheckpoint, ReadsShardsAsOne) {
  const TempDir dir;
  write_folder(dir.path(), 5, 64);
  const auto reader = open_checkpoint(dir.path());
  ASSERT_EQ(reader->tensors().size(), 5u);
  EXPECT_EQ(reader->files().size(), 3u);
  EXPECT_TRUE(reader->warnings().empty());
  reader->drop(reader->at("t4"));
  EXPECT_EQ(reader->bytes(reader->at("t4"))[1], std::byte{5});
}

TEST(OpenCheckpoint, TakesTheOnlySafetensorsFileOfAFolder) {
  const TempDir dir;
  write_file(dir / "adapter.safetensors", test::valid_file());
  write_file(dir / "other.safetensors.partial", "x");
  EXPECT_EQ(open_checkpoint(dir.path())->tensors().size(), 5u);
  write_file(dir / "second.safetensors", test::valid_file());
  EXPECT_TRUE(says(dir.path(), "model.safetensors.index.json"));
}

TEST(OpenCheckpoint, WarnsOfAWrongTotalSize) {
  const TempDir dir;
  write_folder(dir.path(), 3, 64);
  edit_index(dir, "96", "97");
  const auto reader = open_checkpoint(dir.path());
  ASSERT_EQ(reader->warnings().size(), 1u);
  EXPECT_NE(reader->warnings()[0].find("97"), std::string::npos);
}

TEST(OpenCheckpoint, RefusesAnIndexThatDoesNotFitItsShards) {
  const TempDir dir;
  write_folder(dir.path(), 3, 64);
  edit_index(dir, "\"t2\"", "\"t9\"");
  EXPECT_TRUE(says(dir.path(), "t9"));
  EXPECT_EQ(error_kind([&] { open_checkpoint(dir.path()); }), ErrorKind::kCorruptFile);
  fs::remove(dir / "model-00002-of-00002.safetensors");
  EXPECT_TRUE(says(dir.path(), "model-00002-of-00002.safetensors"));
}

// A file laid over others: only the index knows which of two tensors of one name counts.
TEST(OpenCheckpoint, TakesATensorFromTheShardThatTheIndexNames) {
  for (const char* base : {"base.safetensors", "model.safetensors"}) {
    const TempDir dir, other;
    write_folder(dir.path(), 3, 1000);
    if (dir / base != dir / "model.safetensors") fs::rename(dir / "model.safetensors", dir / base);
    const auto writer = create_checkpoint(other.path(), {{"t1", DType::kF32, {2, 4}, 32}});
    writer->add("t1", test::counted_bytes(32, 100));
    writer->finish();
    fs::copy_file(other / "model.safetensors", dir / "overlay.safetensors");
    write_file(dir / "model.safetensors.index.json", std::string(R"({"weight_map": {"t0": ")") +
                                                         base + R"(", "t2": ")" + base +
                                                         R"(", "t1": "overlay.safetensors"}})");
    const auto reader = open_checkpoint(dir.path());
    EXPECT_EQ(reader->tensors().size(), 3u);
    EXPECT_EQ(reader->bytes(reader->at("t1"))[0], std::byte{100});
    EXPECT_EQ(reader->bytes(reader->at("t2"))[0], std::byte{2});
    ASSERT_EQ(reader->warnings().size(), 1u);
    EXPECT_NE(reader->warnings()[0].find("1 tensors lie in another shard too"), std::string::npos);
  }
}

TEST(OpenCheckpoint, ASingleFileCountsBesideAnIndexOfOthers) {
  const TempDir dir;
  write_folder(dir.path(), 3, 1000);
  write_file(dir / "model.safetensors.index.json",
             R"({"weight_map": {"t0": "model-00001-of-00001.safetensors"}})");
  EXPECT_EQ(open_checkpoint(dir.path())->tensors().size(), 3u);
}

TEST(OpenCheckpoint, RefusesATensorInTwoShardsThatTheIndexDoesNotName) {
  const TempDir dir;
  write_folder(dir.path(), 3, 1000);
  fs::rename(dir / "model.safetensors", dir / "base.safetensors");
  fs::copy_file(dir / "base.safetensors", dir / "copy.safetensors");
  write_file(dir / "model.safetensors.index.json",
             R"({"weight_map": {"t0": "copy.safetensors", "t1": "base.safetensors"}})");
  EXPECT_TRUE(says(dir.path(), "\"t2\" lies in two shards"));
}

TEST(OpenCheckpoint, OpensOrRefusesAFolderWithADamagedIndex) {
  const TempDir dir;
  write_folder(dir.path(), 4, 64);
  const fs::path path = dir / "model.safetensors.index.json";
  const std::string valid = read_file(path, 1 << 20);
  Random random(11);
  int refused = 0;
  for (int i = 0; i < 300; ++i) {
    std::ofstream(path, std::ios::binary) << test::mutated_json(valid, random);
    if (error_kind([&] { open_checkpoint(dir.path()); })) ++refused;
  }
  EXPECT_GT(refused, 100);
}

TEST(OpenCheckpoint, RefusesPickleFilesAndSaysHowToConvert) {
  const TempDir dir;
  write_file(dir / "pytorch_model.bin", "PK\3\4...");
  EXPECT_EQ(error_kind([&] { open_checkpoint(dir.path()); }), ErrorKind::kUnsupported);
  EXPECT_TRUE(says(dir.path(), "pytorch_model.bin"));
  EXPECT_TRUE(says(dir.path(), "pickle"));
  EXPECT_TRUE(says(dir.path(), "python -c"));
  EXPECT_TRUE(says(dir / "pytorch_model.bin", "pickle"));
}

TEST(OpenCheckpoint, KnowsAGgufFileByItsContent) {
  const TempDir dir;
  write_file(dir / "model.safetensors", "GGUF\3\1\1\1........");
  EXPECT_EQ(error_kind([&] { open_checkpoint(dir.path()); }), ErrorKind::kUnsupported);
  EXPECT_TRUE(says(dir.path(), "GGUF"));
}

TEST(OpenCheckpoint, SaysWhatAnEmptyFolderLacks) {
  const TempDir dir;
  EXPECT_EQ(error_kind([&] { open_checkpoint(dir.path()); }), ErrorKind::kNotFound);
  write_file(dir / "model.safetensors.part", "");
  fs::rename(dir / "model.safetensors.part", dir / "model.safetensors.partial");
  EXPECT_TRUE(says(dir.path(), "model.safetensors.partial"));
  EXPECT_EQ(error_kind([&] { open_checkpoint(dir / "none"); }), ErrorKind::kNotFound);
}

}  // namespace
}  // namespace nibble
