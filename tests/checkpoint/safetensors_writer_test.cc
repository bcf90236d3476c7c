// The writer: atomic, complete, readable.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/sha256.h"
#include "checkpoint/sample_files.h"
#include "nibble/error.h"
#include "support/error_text.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::counted_bytes;
using test::error_kind;
using test::TempDir;

TEST(CheckpointWriter, RoundTripsTensorsAddedInAnyOrder) {
  const TempDir dir;
  const auto writer = create_checkpoint(
      dir.path(),
      {{"z", DType::kF32, {2, 2}, 16}, {"a", DType::kU8, {3}, 3}, {"e", DType::kF16, {0}, 0}});
  writer->add("a", counted_bytes(3, 7));
  writer->add("e", {});
  writer->add("z", counted_bytes(16, 1));
  writer->finish();
  const auto reader = open_checkpoint(dir.path());
  EXPECT_TRUE(std::ranges::equal(reader->bytes(reader->at("a")), counted_bytes(3, 7)));
  EXPECT_TRUE(std::ranges::equal(reader->bytes(reader->at("z")), counted_bytes(16, 1)));
  EXPECT_LT(reader->bytes(reader->at("z")).data(), reader->bytes(reader->at("a")).data());
  EXPECT_FALSE(fs::exists(dir / "model.safetensors.index.json"));
}

TEST(CheckpointWriter, MakesTheSameBytesInAnyOrderOfAdding) {
  const TempDir first, second;
  for (const TempDir* dir : {&first, &second}) {
    const auto writer =
        create_checkpoint(dir->path(), {{"a", DType::kU8, {2}, 2}, {"b", DType::kU8, {2}, 2}});
    for (const char* name : dir == &first ? std::array{"a", "b"} : std::array{"b", "a"})
      writer->add(name, counted_bytes(2, name[0]));
    writer->finish();
  }
  EXPECT_EQ(sha256_of_file(first / "model.safetensors"),
            sha256_of_file(second / "model.safetensors"));
}

TEST(CheckpointWriter, FillsShardsGreedilyAndWritesTheIndexLast) {
  const TempDir dir;
  test::write_folder(dir.path(), 12, 70);
  const Json index = read_json(dir / "model.safetensors.index.json");
  EXPECT_EQ(index["metadata"]["total_size"], 12 * 32);
  EXPECT_EQ(index["weight_map"]["t1"], "model-00001-of-00006.safetensors");
  EXPECT_EQ(index["weight_map"]["t2"], "model-00002-of-00006.safetensors");
  EXPECT_EQ(open_checkpoint(dir.path())->tensors().size(), 12u);
}

TEST(CheckpointWriter, KeepsThePartsOfAModuleTogether) {
  const TempDir dir;
  std::vector<TensorInfo> infos;
  for (const char* name : {"m.codes", "m.scales", "n.codes", "n.scales"})
    infos.push_back({name, DType::kU8, {4}, 4});
  const auto writer = create_checkpoint(dir.path(), infos, {.max_shard_bytes = 13});
  for (const TensorInfo& info : infos) writer->add(info.name, counted_bytes(4, 0));
  writer->finish();
  const Json map = read_json(dir / "model.safetensors.index.json")["weight_map"];
  EXPECT_EQ(map["m.codes"], map["m.scales"]);
  EXPECT_EQ(map["n.codes"], map["n.scales"]);
  EXPECT_NE(map["m.codes"], map["n.codes"]);
}

TEST(CheckpointWriter, GivesATensorAboveTheLimitAShardOfItsOwn) {
  const TempDir dir;
  test::write_folder(dir.path(), 3, 10);
  EXPECT_TRUE(fs::exists(dir / "model-00003-of-00003.safetensors"));
}

TEST(CheckpointWriter, LeavesNothingBehindWhenDropped) {
  const TempDir dir;
  {
    const auto writer = create_checkpoint(dir.path(), {{"a", DType::kU8, {2}, 2}});
    writer->add("a", counted_bytes(2, 0));
    EXPECT_TRUE(fs::exists(dir / "model.safetensors.partial"));
  }
  EXPECT_TRUE(fs::is_empty(dir.path()));
}

TEST(CheckpointWriter, RefusesTensorsThatDoNotComeAsAnnounced) {
  const TempDir dir;
  const auto writer = create_checkpoint(dir.path(), {{"a", DType::kU8, {2}, 2}});
  const auto kind = [&](std::string_view name, std::size_t bytes) {
    return error_kind([&] { writer->add(name, counted_bytes(bytes, 0)); });
  };
  EXPECT_EQ(kind("b", 2), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind("a", 3), ErrorKind::kInvalidArgument);
  EXPECT_EQ(error_kind([&] { writer->finish(); }), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind("a", 2), std::nullopt);
  EXPECT_EQ(kind("a", 2), ErrorKind::kInvalidArgument);
}

TEST(CheckpointWriter, RefusesAnnouncementsThatMakeNoSense) {
  const TempDir dir;
  const auto refused = [&](std::vector<TensorInfo> tensors) {
    return error_kind([&] { create_checkpoint(dir.path(), tensors); }).has_value();
  };
  EXPECT_TRUE(refused({{"a", DType::kU8, {2}, 3}}));
  EXPECT_TRUE(refused({{"a", DType::kU8, {-2}, 2}}));
  EXPECT_TRUE(refused({{"__metadata__", DType::kU8, {2}, 2}}));
  EXPECT_TRUE(refused({{"\xFF", DType::kU8, {2}, 2}}));
  EXPECT_TRUE(refused({{"a", DType::kU8, {1}, 1}, {"a", DType::kU8, {1}, 1}}));
  EXPECT_TRUE(fs::is_empty(dir.path()));
}

TEST(CheckpointWriter, RefusesMoreThanTheDiskHolds) {
  const TempDir dir;
  const auto create = [&] {
    create_checkpoint(dir.path(), {{"a", DType::kU8, {1ll << 60}, 1ull << 60}});
  };
  EXPECT_EQ(error_kind(create), ErrorKind::kResource);
  EXPECT_TRUE(fs::is_empty(dir.path()));
}

}  // namespace
}  // namespace nibble
