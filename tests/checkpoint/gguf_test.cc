// GGUF files as checkpoints: one file, parts, folders.
#include <gtest/gtest.h>

#include "base/files.h"
#include "checkpoint/gguf_metadata.h"
#include "checkpoint/gguf_parts.h"
#include "nibble/checkpoint.h"
#include "nibble/error.h"
#include "support/error_text.h"
#include "support/gguf_file.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::error_kind;
using test::error_text;
using test::GgufFile;
using test::packed;
using test::TempDir;

std::string text_of(const CheckpointReader& reader, std::string_view name) {
  const auto bytes = reader.bytes(reader.at(name));
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string part(std::uint16_t number, std::uint16_t count, std::string_view tensor,
                 std::int32_t total = 2) {
  GgufFile file;
  file.pair("split.no", 2, packed(number)).pair("split.count", 2, packed(count));
  file.pair("split.tensors.count", 5, packed(total));
  file.tensor(tensor, {1}, 0, std::string(4, static_cast<char>('0' + number)));
  return file.bytes();
}

TEST(GgufCheckpoint, IsAFileOrTheOnlyOneOfAFolder) {
  const TempDir dir;
  write_file(dir / "any.gguf", test::sample_gguf().bytes());
  for (const auto& path : {dir.path(), dir / "any.gguf"}) {
    const auto reader = open_checkpoint(path);
    EXPECT_EQ(text_of(*reader, "norm.weight"), std::string(16, 'n'));
    ASSERT_NE(reader->gguf(), nullptr);
    EXPECT_EQ(reader->gguf()->text("general.architecture"), "sample");
    EXPECT_EQ(reader->files().front().filename(), "any.gguf");
  }
  write_file(dir / "other.gguf", test::sample_gguf().bytes());
  EXPECT_EQ(error_kind([&] { open_checkpoint(dir.path()); }), ErrorKind::kNotFound);
  EXPECT_NE(error_text([&] { open_checkpoint(dir.path()); }).find("any.gguf, other.gguf"),
            std::string::npos);
}

TEST(GgufCheckpoint, OpensAllPartsByTheFirst) {
  const TempDir dir;
  write_file(dir / "m-00001-of-00002.gguf", part(0, 2, "z"));
  write_file(dir / "m-00002-of-00002.gguf", part(1, 2, "a"));
  for (const auto& path : {dir.path(), dir / "m-00001-of-00002.gguf"}) {
    const auto reader = open_checkpoint(path);
    ASSERT_EQ(reader->tensors().size(), 2u);
    EXPECT_EQ(text_of(*reader, "a"), "1111");
    EXPECT_EQ(text_of(*reader, "z"), "0000");
    EXPECT_EQ(reader->files().size(), 2u);
  }
  const std::string text = error_text([&] { open_checkpoint(dir / "m-00002-of-00002.gguf"); });
  EXPECT_NE(text.find("m-00001-of-00002.gguf"), std::string::npos) << text;
}

TEST(GgufCheckpoint, RefusesPartsThatDoNotFit) {
  const TempDir dir;
  const auto first = dir / "m-00001-of-00002.gguf", second = dir / "m-00002-of-00002.gguf";
  const auto kind = [&] { return error_kind([&] { open_checkpoint(first); }); };
  write_file(first, part(0, 2, "z"));
  EXPECT_EQ(kind(), ErrorKind::kNotFound);
  for (const std::string& wrong :
       {part(0, 2, "a"), part(1, 3, "a"), part(1, 2, "z"), std::string("GGUF")}) {
    write_file(second, wrong);
    EXPECT_EQ(kind(), ErrorKind::kCorruptFile);
  }
  write_file(second, part(1, 2, "a"));
  write_file(first, part(0, 2, "z", 3));
  EXPECT_EQ(kind(), ErrorKind::kCorruptFile);
  write_file(dir / "m.gguf", part(0, 2, "z"));
  EXPECT_EQ(error_kind([&] { open_checkpoint(dir / "m.gguf"); }), ErrorKind::kUnsupported);
}

TEST(GgufParts, HaveNamesOfOneForm) {
  const auto name = parse_part_name("a-b-00002-of-00010.gguf");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->stem, "a-b");
  EXPECT_EQ(part_name(*name), "a-b-00002-of-00010.gguf");
  for (const char* other :
       {"-00001-of-00002.gguf", "a.gguf", "a-00000-of-00002.gguf", "a-00003-of-00002.gguf",
        "a-0001-of-00002.gguf", "a-+0001-of-00002.gguf"})
    EXPECT_FALSE(parse_part_name(other)) << other;
}

}  // namespace
}  // namespace nibble
