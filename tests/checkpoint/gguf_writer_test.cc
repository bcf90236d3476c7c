#include "checkpoint/gguf_writer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "checkpoint/gguf_header.h"
#include "checkpoint/gguf_metadata.h"
#include "support/error_text.h"
#include "support/temp_dir.h"
#include "tensor/half.h"

namespace nibble {
namespace {

using test::error_kind;
using test::TempDir;

TensorInfo info(std::string name, DType type, std::vector<std::int64_t> shape) {
  std::uint64_t bytes = static_cast<std::uint64_t>(bits(type)) / 8;
  for (const std::int64_t size : shape) bytes *= static_cast<std::uint64_t>(size);
  return {std::move(name), type, std::move(shape), bytes};
}

template <typename Number>
std::vector<std::byte> bytes_of(const std::vector<Number>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(Number));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

template <typename Number>
std::vector<Number> values_of(const CheckpointReader& file, std::string_view name) {
  const auto bytes = file.bytes(file.at(name));
  std::vector<Number> values(bytes.size() / sizeof(Number));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

// A matrix of two heads of four rows, a norm in bfloat16 and a table.
GgufModel sample_model() {
  GgufModel model;
  model.pairs.text("general.architecture", "sample").u32("sample.block_count", 1);
  const auto heads = info("q", DType::kF32, {8, 1});
  model.tensors.push_back(
      {"q", heads, info("blk.0.attn_q.weight", DType::kF32, {8, 1}), {0, 2, 1, 3, 4, 6, 5, 7}, 0});
  model.tensors.push_back({"norm",
                           info("norm", DType::kBF16, {3}),
                           info("output_norm.weight", DType::kF32, {3}),
                           {},
                           1});
  const auto table = info("table", DType::kF16, {2, 3});
  model.tensors.push_back({"table", table, info("token_embd.weight", DType::kF16, {2, 3}), {}, 0});
  model.own.push_back({info("rope_freqs.weight", DType::kF32, {2}), bytes_of<float>({1, 8})});
  model.left_out.push_back("head");
  return model;
}

class Writing : public testing::Test {
 protected:
  std::unique_ptr<ModelWriter> open(const fs::path& target, bool replace = false,
                                    std::uint64_t room = 4096, std::uint64_t part = 0) const {
    OutputModel model;
    model.inputs = {dir_.path() / "source"};
    model.gguf = sample_model;
    model.passport_bytes = room;
    return create_gguf(target, model, 2, {.replace = replace, .max_part_bytes = part});
  }
  static void fill(ModelWriter& writer) {
    writer.add("table", bytes_of<std::uint16_t>({1, 2, 3, 4, 5, 6}));
    writer.add("q", bytes_of<float>({0, 1, 2, 3, 10, 11, 12, 13}));
    writer.add("head", {});
    writer.add("norm", bytes_of<Bfloat16>(
                           {float_to_bfloat16(0.5f), float_to_bfloat16(-1), float_to_bfloat16(2)}));
  }
  Json passport_in(const fs::path& file) const {
    const auto checkpoint = open_checkpoint(file);
    return Json::parse(*checkpoint->gguf()->text(kPassportKey));
  }

  TempDir dir_;
  fs::path file_ = dir_.path() / "model.gguf";
};

TEST_F(Writing, GivesAFileThatReadsBack) {
  const auto writer = open(file_);
  fill(*writer);
  EXPECT_FALSE(fs::exists(file_));
  writer->finish({{"schema", "x"}});
  const auto checkpoint = open_checkpoint(file_);
  EXPECT_EQ(checkpoint->gguf()->text("general.architecture"), "sample");
  EXPECT_EQ(checkpoint->gguf()->integer("general.file_type", 0, 99), 2);
  EXPECT_EQ(checkpoint->tensors().size(), 4u);
  EXPECT_EQ(checkpoint->at("token_embd.weight").shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(values_of<std::uint16_t>(*checkpoint, "token_embd.weight"),
            (std::vector<std::uint16_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(values_of<float>(*checkpoint, "rope_freqs.weight"), (std::vector<float>{1, 8}));
  const Json passport = passport_in(file_);
  EXPECT_EQ(passport["schema"], "x");
  EXPECT_EQ(passport["tensors_sha256"], tensors_sha256(*checkpoint));
  EXPECT_TRUE(checkpoint->warnings().empty());
}

TEST_F(Writing, PutsRowsWhereTheyGo) {
  const auto writer = open(file_);
  fill(*writer);
  writer->finish(Json::object());
  EXPECT_EQ(values_of<float>(*open_checkpoint(file_), "blk.0.attn_q.weight"),
            (std::vector<float>{0, 2, 1, 3, 10, 12, 11, 13}));
}

TEST_F(Writing, MakesVectorsFloatsAndAddsWhatTheyLack) {
  const auto writer = open(file_);
  fill(*writer);
  writer->finish(Json::object());
  EXPECT_EQ(values_of<float>(*open_checkpoint(file_), "output_norm.weight"),
            (std::vector<float>{1.5f, 0, 3}));
}

TEST_F(Writing, CutsIntoPartsThatReadAsOne) {
  // The first tensor is larger than a part may be and lies alone; the next two share one.
  const auto writer = open(file_, false, 4096, 64 + 32);
  fill(*writer);
  EXPECT_EQ(writer->path(), dir_ / "model-00001-of-00002.gguf");
  writer->finish({{"schema", "x"}});
  EXPECT_FALSE(fs::exists(file_));
  const auto checkpoint = open_checkpoint(dir_ / "model-00001-of-00002.gguf");
  EXPECT_EQ(checkpoint->files().size(), 2u);
  EXPECT_EQ(checkpoint->tensors().size(), 4u);
  EXPECT_EQ(values_of<float>(*checkpoint, "blk.0.attn_q.weight"),
            (std::vector<float>{0, 2, 1, 3, 10, 12, 11, 13}));
  EXPECT_EQ(values_of<float>(*checkpoint, "rope_freqs.weight"), (std::vector<float>{1, 8}));
  EXPECT_EQ(checkpoint->gguf()->integer("split.tensors.count", 0, 99), 4);
  EXPECT_EQ(checkpoint->gguf()->text("general.architecture"), "sample");
  EXPECT_EQ(passport_in(dir_ / "model-00001-of-00002.gguf")["tensors_sha256"],
            tensors_sha256(*checkpoint));
  // The others have their tensors and their number, no more.
  MappedFile second(dir_ / "model-00002-of-00002.gguf");
  const GgufHeader header = read_gguf_header(second.bytes());
  EXPECT_EQ(header.metadata.records().size(), 3u);
  EXPECT_EQ(header.metadata.integer("split.no", 0, 9), 1);
}

TEST_F(Writing, GivesALargeTensorAPartOfItsOwn) {
  const auto writer = open(file_, false, 4096, 1);
  fill(*writer);
  writer->finish(Json::object());
  EXPECT_EQ(open_checkpoint(dir_ / "model-00001-of-00004.gguf")->files().size(), 4u);
}

TEST_F(Writing, LeavesNoPartBehindWithoutFinish) {
  fill(*open(file_, false, 4096, 1));
  EXPECT_TRUE(fs::is_empty(dir_.path()));
}

TEST_F(Writing, ReplacesPartsOnlyWhenAsked) {
  for (const bool replace : {false, true}) {
    const auto writer = open(file_, replace, 4096, 1);
    fill(*writer);
    writer->finish({{"replaced", replace}});
    EXPECT_EQ(passport_in(dir_ / "model-00001-of-00004.gguf")["replaced"], replace);
    EXPECT_EQ(error_kind([&] { open(file_, false, 4096, 1); }), ErrorKind::kInvalidArgument);
  }
}

TEST_F(Writing, RefusesToLieBesidePartsOfAnotherNumber) {
  fill(*open(file_, false, 4096, 1));
  write_file(dir_ / "model-00002-of-00003.gguf", "older");
  EXPECT_EQ(error_kind([&] { open(file_, true, 4096, 1); }), ErrorKind::kInvalidArgument);
  write_file(dir_ / "other-00002-of-00003.gguf", "another model's");
  fs::remove(dir_ / "model-00002-of-00003.gguf");
  open(file_, true, 4096, 1);
}

// Statistics and models have the same suffix.
TEST_F(Writing, ReplacesOnlyFilesOfTheSameKind) {
  GgufModel measured = sample_model();
  measured.pairs.text("general.type", "imatrix");
  const auto writer = create_gguf_file(file_, std::move(measured), 4096);
  fill(*writer);
  writer->finish(Json::object());
  EXPECT_EQ(error_kind([&] { open(file_, true); }), ErrorKind::kInvalidArgument);
  EXPECT_NO_THROW(check_gguf_target(file_, {}, {.replace = true}, "imatrix"));
}

TEST_F(Writing, LeavesNothingBehindWithoutFinish) {
  fill(*open(file_));
  EXPECT_TRUE(fs::is_empty(dir_.path()));
}

TEST_F(Writing, WantsEveryTensorOnceAndWhole) {
  const auto writer = open(file_);
  EXPECT_EQ(error_kind([&] { writer->add("q", bytes_of<float>({1})); }),
            ErrorKind::kInvalidArgument);
  EXPECT_EQ(error_kind([&] { writer->add("other", {}); }), ErrorKind::kInvalidArgument);
  EXPECT_EQ(error_kind([&] { writer->finish(Json::object()); }), ErrorKind::kInvalidArgument);
  fill(*writer);
  EXPECT_EQ(error_kind([&] { fill(*writer); }), ErrorKind::kInvalidArgument);
}

TEST_F(Writing, ReplacesOnlyGgufFilesAndOnlyWhenAsked) {
  const auto write = [&](bool replace) {
    const auto writer = open(file_, replace);
    fill(*writer);
    writer->finish({{"replaced", replace}});
  };
  write(false);
  EXPECT_EQ(error_kind([&] { write(false); }), ErrorKind::kInvalidArgument);
  write(true);
  EXPECT_EQ(passport_in(file_)["replaced"], true);
  write_file(file_, "a letter");
  EXPECT_EQ(error_kind([&] { write(true); }), ErrorKind::kInvalidArgument);
  EXPECT_EQ(read_file(file_, 100), "a letter");
  fs::create_directory(dir_.path() / "folder.gguf");
  EXPECT_EQ(error_kind([&] { open(dir_.path() / "folder.gguf", true); }),
            ErrorKind::kInvalidArgument);
}

TEST_F(Writing, NeverReplacesAFileOfTheInput) {
  fs::create_directory(dir_.path() / "source");
  const fs::path inside = dir_.path() / "source" / "model.gguf";
  const auto writer = open(inside);
  fill(*writer);
  writer->finish(Json::object());
  EXPECT_EQ(error_kind([&] { open(inside, true); }), ErrorKind::kInvalidArgument);
  fs::create_symlink(inside, file_);
  EXPECT_EQ(error_kind([&] { open(file_, true); }), ErrorKind::kInvalidArgument);
}

TEST_F(Writing, ShortensAPassportThatHasNoRoom) {
  const auto written = [&](const Json& passport) {
    const auto writer = open(file_, true, 320);
    fill(*writer);
    writer->finish(passport);
    return passport_in(file_);
  };
  Json passport = {{"schema", "x"}, {"modules", Json::array()}};
  for (int i = 0; i < 4; ++i)
    passport["modules"].push_back({{"name", i}, {"notes", {std::string(60, 'n')}}});
  Json found = written(passport);
  ASSERT_EQ(found["modules"].size(), 4u);
  EXPECT_FALSE(found["modules"][0].contains("notes"));
  for (int i = 0; i < 40; ++i) passport["modules"].push_back({{"name", i}});
  found = written(passport);
  EXPECT_EQ(found["schema"], "x");
  EXPECT_TRUE(found["modules"].is_string());
}

}  // namespace
}  // namespace nibble
