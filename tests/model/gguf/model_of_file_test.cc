// A GGUF file from a GGUF file: what it says goes along, whether or not anybody here reads it.
#include "model/gguf/model_of_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "checkpoint/gguf_metadata.h"
#include "checkpoint/gguf_writer.h"
#include "support/gguf_file.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::GgufFile;
using test::packed;
using test::TempDir;

constexpr std::int64_t kHidden = 8, kLayers = 11;

std::string floats(std::size_t count, float first) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) bytes += packed(first + static_cast<float>(i));
  return bytes;
}

// A Llama of eleven layers, so that their order by number is not the one by name, with keys of
// every type that no program knows, and tensors at multiples of 64.
GgufFile sample() {
  GgufFile file;
  file.alignment = 64;
  file.pair("strange.u8", 0, "\x07").pair("strange.i16", 3, packed<std::int16_t>(-300));
  file.text("general.architecture", "llama").u32("general.alignment", 64);
  file.u32("general.file_type", 1).u32("general.quantization_version", 2);
  file.u32("llama.block_count", kLayers).u32("llama.context_length", 32);
  file.u32("llama.embedding_length", kHidden).u32("llama.feed_forward_length", kHidden);
  file.u32("llama.attention.head_count", 1).f32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  file.pair("strange.f64", 12, packed(0.1)).pair("strange.i64", 11, packed<std::int64_t>(-7));
  file.numbers<std::uint8_t>("strange.bytes", 0, {1, 2, 3}).texts("strange.texts", {"", "ü"});
  file.text("nibble.passport", "{}").pair("split.count", 2, packed<std::uint16_t>(1));
  const auto matrix = [&](const std::string& name, float first) {
    file.tensor(name, {kHidden, kHidden}, 0, floats(kHidden * kHidden, first));
  };
  const auto vector = [&](const std::string& name) {
    file.tensor(name, {kHidden}, 0, floats(kHidden, 1));
  };
  matrix("token_embd.weight", 0);
  vector("output_norm.weight");
  for (std::int64_t layer = 0; layer < kLayers; ++layer) {
    const std::string base = "blk." + std::to_string(layer) + ".";
    for (const char* norm : {"attn_norm.weight", "ffn_norm.weight"}) vector(base + norm);
    for (const char* part :
         {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"})
      matrix(base + part + ".weight", 1000 * static_cast<float>(layer));
  }
  return file;
}

class FileOfFile : public testing::Test {
 protected:
  FileOfFile() {
    write_file(dir_ / "in.gguf", sample().bytes());
    source_ = std::make_unique<ModelSource>(dir_ / "in.gguf");
    const auto tensors = source_->checkpoint().tensors();
    tensors_.assign(tensors.begin(), tensors.end());
  }
  std::vector<std::string> keys(const GgufModel& model) const {
    ByteReader reader(std::as_bytes(std::span(model.pairs.bytes())));
    std::vector<std::string> keys;
    for (const auto& record : GgufMetadata::read(reader, model.pairs.count()).records())
      keys.emplace_back(record.key);
    return keys;
  }

  TempDir dir_;
  std::unique_ptr<ModelSource> source_;
  std::vector<TensorInfo> tensors_;
};

TEST_F(FileOfFile, TakesEveryPairAlongButThoseOfTheFileItself) {
  const std::vector<std::string> wanted = {"strange.u8",
                                           "strange.i16",
                                           "general.architecture",
                                           "general.alignment",
                                           "llama.block_count",
                                           "llama.context_length",
                                           "llama.embedding_length",
                                           "llama.feed_forward_length",
                                           "llama.attention.head_count",
                                           "llama.attention.layer_norm_rms_epsilon",
                                           "strange.f64",
                                           "strange.i64",
                                           "strange.bytes",
                                           "strange.texts"};
  EXPECT_EQ(keys(gguf_model_of_file(*source_, tensors_)), wanted);
  const auto same = keys(gguf_model_of_file(*source_, tensors_, true));
  EXPECT_EQ(same.size(), wanted.size() + 2);
  EXPECT_EQ(same[4], "general.file_type");
}

TEST_F(FileOfFile, OrdersLayersByNumber) {
  const GgufModel model = gguf_model_of_file(*source_, tensors_);
  ASSERT_EQ(model.tensors.size(), 2u + 9 * kLayers);
  EXPECT_EQ(model.tensors[0].info.name, "output_norm.weight");
  EXPECT_EQ(model.tensors[1].info.name, "token_embd.weight");
  EXPECT_EQ(model.tensors[2].info.name, "blk.0.attn_k.weight");
  EXPECT_EQ(model.tensors[2 + 9].info.name, "blk.1.attn_k.weight");
  EXPECT_EQ(model.tensors.back().info.name, "blk.10.ffn_up.weight");
}

TEST_F(FileOfFile, WritesTheSameBytesOfEachTensor) {
  OutputModel output;
  output.inputs = source_->inputs();
  output.tensors = tensors_;
  output.gguf = [&] { return gguf_model_of_file(*source_, tensors_, true); };
  const auto writer = create_gguf(dir_ / "out.gguf", output, std::nullopt, {});
  for (const TensorInfo& info : tensors_) {
    std::vector<std::byte> room;
    writer->add(info.name, source_->bytes(info, room));
  }
  writer->finish(Json::object());
  const auto before = open_checkpoint(dir_ / "in.gguf"), after = open_checkpoint(dir_ / "out.gguf");
  EXPECT_EQ(after->gguf()->integer("general.alignment", 0, 99), 64);
  EXPECT_EQ(after->gguf()->number("strange.f64", 0, 1), 0.1);
  ASSERT_EQ(after->tensors().size(), before->tensors().size());
  for (const TensorInfo& info : before->tensors()) {
    const auto own = before->bytes(info), other = after->bytes(after->at(info.name));
    ASSERT_EQ(own.size(), other.size()) << info.name;
    EXPECT_EQ(std::memcmp(own.data(), other.data(), own.size()), 0) << info.name;
  }
}

// One head of eight rows: stored are 0, 4, 1, 5, … of the rows that Hugging Face counts.
TEST_F(FileOfFile, ReadsRotatedRowsInTheirOwnOrder) {
  std::vector<std::byte> room;
  const auto bytes =
      source_->bytes(source_->checkpoint().at("model.layers.0.self_attn.q_proj.weight"), room);
  std::vector<float> values(kHidden * kHidden);
  std::memcpy(values.data(), bytes.data(), bytes.size());
  EXPECT_EQ(values[0], 0);
  EXPECT_EQ(values[kHidden], 2 * kHidden);  // row 1 lies third
  EXPECT_EQ(values[4 * kHidden], kHidden);  // row 4 lies second
}

}  // namespace
}  // namespace nibble
