// The file's form, and its sums for the first layer by hand: embeddings, norm, squares.
#include "quantize/calibration/imatrix.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "checkpoint/gguf_metadata.h"
#include "model/source.h"
#include "nibble/checkpoint.h"
#include "nibble/error.h"
#include "support/error_text.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::TempDir;

const fs::path kDemo = fs::path(kSourceFolder) / "assets" / "demo";
constexpr std::size_t kSamples = 3, kLength = 16;

ImatrixOptions windows_in(const TempDir& folder) {
  Json windows = Json::array();
  for (std::size_t w = 0; w < kSamples; ++w) {
    Json window = Json::array();
    for (std::size_t i = 0; i < kLength; ++i) window.push_back(100 + 37 * w + 11 * i);
    windows.push_back(window);
  }
  write_file(folder / "windows.json", Json{{"windows", windows}}.dump());
  ImatrixOptions options;
  options.calibration.sources = {{folder / "windows.json", 1}};
  options.calibration.samples = kSamples;
  options.calibration.length = kLength;
  return options;
}

std::vector<float> floats_of(const CheckpointReader& reader, const std::string& name) {
  const auto bytes = reader.bytes(reader.at(name));
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

TEST(Imatrix, HoldsSumsOfSquaresAndTokensOfEachMatrix) {
  const TempDir dir;
  const ImatrixResult result = write_imatrix(kDemo, dir / "im.gguf", windows_in(dir), {}, {});
  EXPECT_EQ(result.entries, 42u);
  const auto reader = open_checkpoint(dir / "im.gguf");
  EXPECT_EQ(reader->gguf()->text("general.type"), "imatrix");
  EXPECT_EQ(reader->tensors().size(), 84u);
  EXPECT_EQ(floats_of(*reader, "blk.5.ffn_down.weight.in_sum2").size(), 768u);
  EXPECT_EQ(floats_of(*reader, "blk.3.ffn_up.weight.counts"),
            std::vector<float>{kSamples * kLength});
  EXPECT_EQ(floats_of(*reader, "blk.3.ffn_up.weight.in_sum2"),
            floats_of(*reader, "blk.3.ffn_gate.weight.in_sum2"));

  const ModelSource source(kDemo);
  const auto embedding = source.embedding();
  const Block block = source.block(0);
  const std::size_t hidden = source.hyper().hidden;
  std::vector<double> expected(hidden);
  for (const std::int32_t id : result.calibration.ids) {
    Tensor row(1, hidden);
    embedding->decode(static_cast<std::size_t>(id), row.view());
    double squares = 0;
    for (std::size_t c = 0; c < hidden; ++c)
      squares += std::pow(static_cast<double>(row.view()(0, c)), 2);
    const double scale = 1 / std::sqrt(squares / static_cast<double>(hidden) + 1e-5);
    for (std::size_t c = 0; c < hidden; ++c)
      expected[c] += std::pow(static_cast<double>(row.view()(0, c)) * scale *
                                  static_cast<double>(block.attention_norm[c]),
                              2);
  }
  const auto sums = floats_of(*reader, "blk.0.attn_q.weight.in_sum2");
  for (std::size_t c = 0; c < hidden; ++c)
    ASSERT_NEAR(sums[c] / expected[c], 1, 1e-4) << "input " << c;
}

TEST(Imatrix, IsWrittenAnewOnlyWhereThatIsAsked) {
  const TempDir dir;
  ImatrixOptions options = windows_in(dir);
  const auto write = [&](const char* name) {
    return test::error_kind([&] { write_imatrix(kDemo, dir / name, options, {}, {}); });
  };
  EXPECT_EQ(write("im.dat"), ErrorKind::kInvalidArgument);
  EXPECT_EQ(write("im.gguf"), std::nullopt);
  const std::string before = read_file(dir / "im.gguf", 1 << 24);
  EXPECT_EQ(write("im.gguf"), ErrorKind::kInvalidArgument);
  options.replace = true;
  EXPECT_EQ(write("im.gguf"), std::nullopt);
  EXPECT_EQ(read_file(dir / "im.gguf", 1 << 24), before);
}

}  // namespace
}  // namespace nibble
