// What is opened as what, and how a tensor that is not there is spoken of.
#include "nibble/checkpoint.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "support/error_text.h"
#include "support/gguf_file.h"
#include "support/memory_checkpoint.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::error_kind;
using test::error_text;

test::MemoryCheckpoint checkpoint_of(std::initializer_list<const char*> names) {
  std::vector<NamedBytes> tensors;
  for (const char* name : names) {
    NamedBytes tensor;
    tensor.info.name = name;
    tensors.push_back(std::move(tensor));
  }
  return test::MemoryCheckpoint(std::move(tensors));
}

TEST(CheckpointReader, FindsEachTensorAndNoOther) {
  const auto checkpoint = checkpoint_of({"b", "a.weight", "c", "a"});
  for (const char* name : {"a", "a.weight", "b", "c"}) {
    ASSERT_NE(checkpoint.find(name), nullptr) << name;
    EXPECT_EQ(checkpoint.find(name)->name, name);
    EXPECT_EQ(&checkpoint.at(name), checkpoint.find(name));
  }
  for (const char* name : {"", "a.", "bb", "d", "A"}) EXPECT_EQ(checkpoint.find(name), nullptr);
  EXPECT_EQ(checkpoint_of({}).find("a"), nullptr);
}

TEST(CheckpointReader, ProposesTheNearestTensorForOneThatIsAbsent) {
  const auto checkpoint = checkpoint_of({"model.norm.weight", "lm_head.weight"});
  const auto ask = [&] { checkpoint.at("model.norm.wieght"); };
  EXPECT_EQ(error_kind(ask), ErrorKind::kNotFound);
  EXPECT_NE(error_text(ask).find("did you mean model.norm.weight?"), std::string::npos);
  EXPECT_EQ(error_text([&] { checkpoint.at("something else"); }).find("did you mean"),
            std::string::npos);
}

// The name of a file says nothing: people rename.
TEST(OpenCheckpoint, RecognisesAContainerByItsContent) {
  const test::TempDir folder;
  write_file(folder / "model.safetensors", test::sample_gguf().bytes());
  const auto checkpoint = open_checkpoint(folder / "model.safetensors");
  EXPECT_NE(checkpoint->gguf(), nullptr);
  EXPECT_NE(checkpoint->find("norm.weight"), nullptr);
  const auto demo = open_checkpoint(std::string(kSourceFolder) + "/assets/demo");
  EXPECT_EQ(demo->gguf(), nullptr);
}

TEST(OpenCheckpoint, RefusesPicklesWithTheWayToConvertThem) {
  const test::TempDir folder;
  for (const std::string_view magic : {"PK\3\4rest", "\x80\x02rest"}) {
    write_file(folder / "pytorch_model.bin", magic);
    const auto open = [&] { open_checkpoint(folder / "pytorch_model.bin"); };
    EXPECT_EQ(error_kind(open), ErrorKind::kUnsupported);
    EXPECT_NE(error_text(open).find("can run code"), std::string::npos);
    EXPECT_NE(error_text(open).find("fix: convert it once with: python"), std::string::npos);
  }
}

TEST(OpenCheckpoint, SaysWhatIsWrongWithAFileThatIsNone) {
  const test::TempDir folder;
  const auto open = [&] { open_checkpoint(folder / "file"); };
  for (const std::string_view bytes : {"", "x", "GGU"}) {
    write_file(folder / "file", bytes);
    EXPECT_EQ(error_kind(open), ErrorKind::kCorruptFile) << bytes;
  }
  for (const std::string_view text : {"12345678", "{\"a\": 1}"}) {
    write_file(folder / "file", text);
    EXPECT_EQ(error_kind(open), ErrorKind::kUnsupported) << text;
    EXPECT_NE(error_text(open).find("not a model"), std::string::npos) << error_text(open);
  }
  EXPECT_EQ(error_kind([&] { open_checkpoint(folder / "nowhere"); }), ErrorKind::kNotFound);
}

}  // namespace
}  // namespace nibble
