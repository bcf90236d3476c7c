// Codes that change their layout stay the codes they were, or are refused before anything is
// written.
#include "quantize/convert/convert.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "formats/block_format.h"
#include "model/source.h"
#include "nibble/error.h"
#include "quantize/quantize.h"
#include "quantize/verify.h"
#include "support/error_text.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::error_text;
using test::TempDir;

const fs::path kDemo = fs::path(kSourceFolder) / "assets" / "demo";

void quantize(const fs::path& output, std::string grid, std::size_t group,
              std::map<std::string, std::string> settings = {}, std::string layout = "") {
  QuantizeOptions options;
  options.method = "rtn";
  options.grid = std::move(grid);
  options.group_size = group;
  options.settings = std::move(settings);
  options.layout = std::move(layout);
  options.skip = {"layers\\.2\\.mlp\\.up_proj"};
  quantize_model(kDemo, output, options, {}, false);
}

ConvertResult convert(const fs::path& from, const fs::path& to, std::string layout,
                      std::string dialect = "") {
  ConvertOptions options;
  options.layout = std::move(layout);
  options.dialect = std::move(dialect);
  return convert_model(from, to, options, {}, {});
}

// Every weight of every layer.
std::vector<float> weights_of(const fs::path& model) {
  const ModelSource source(model);
  std::vector<float> weights;
  for (std::size_t layer = 0; layer < source.hyper().layers; ++layer) {
    const Block block = source.block(layer);
    for (const auto& linear : block.linears) {
      Tensor rows(linear->outputs(), linear->inputs());
      linear->decode(0, rows.view());
      for (std::size_t r = 0; r < rows.rows(); ++r)
        weights.insert(weights.end(), rows.view().row(r), rows.view().row(r) + rows.columns());
    }
  }
  return weights;
}

TEST(Convert, GoesRoundThroughAllLayoutsAndComesBackTheSame) {
  const TempDir dir;
  quantize(dir / "gptq", "int4", 128);
  const auto before = weights_of(dir / "gptq");
  EXPECT_EQ(convert(dir / "gptq", dir / "packed", "compressed-tensors").modules, 41u);
  EXPECT_EQ(convert(dir / "packed", dir / "awq", "awq").from, "compressed-tensors");
  EXPECT_EQ(convert(dir / "awq", dir / "again", "gptq").dialect, "gptq");
  for (const char* name : {"packed", "awq", "again"}) {
    EXPECT_EQ(weights_of(dir / name), before) << name;
    EXPECT_TRUE(verify_checkpoint(dir / name, kDemo).passed()) << name;
  }
  EXPECT_EQ(read_file(dir / "again" / "model.safetensors", 1 << 24),
            read_file(dir / "gptq" / "model.safetensors", 1 << 24));
}

TEST(Convert, KeepsScalesInTheTypeOfTheModel) {
  const TempDir dir;
  quantize(dir / "packed", "int4", 64, {},
           "compressed-tensors");  // scales are bfloat16, the model's
  EXPECT_EQ(convert(dir / "packed", dir / "again", "compressed-tensors").modules, 41u);
  EXPECT_EQ(weights_of(dir / "again"), weights_of(dir / "packed"));
}

TEST(Convert, MakesAGgufFileOfGroupsThatItsBlocksHave) {
  const TempDir dir;
  quantize(dir / "four", "int4", 32);
  ConvertOptions options;
  EXPECT_EQ(convert_model(dir / "four", dir / "four.gguf", options, {}, {}).dialect, "Q4_0");
  EXPECT_EQ(weights_of(dir / "four.gguf"), weights_of(dir / "four"));
  EXPECT_TRUE(verify_checkpoint(dir / "four.gguf", kDemo).passed());
}

TEST(Convert, RefusesWhatWouldLoseSomethingAndWritesNothing) {
  const TempDir dir;
  quantize(dir / "three", "int3", 128);
  EXPECT_NE(error_text([&] { convert(dir / "three", dir / "out", "awq"); }).find("q_proj"),
            std::string::npos);
  quantize(dir / "uneven", "int4", 128, {{"symmetry", "asymmetric"}});
  EXPECT_NE(error_text([&] { convert(dir / "uneven", dir / "out.gguf", ""); }).find("groups"),
            std::string::npos);
  quantize(dir / "nf4", "nf4", 64, {}, "bitsandbytes");
  EXPECT_NE(error_text([&] { convert(dir / "nf4", dir / "out", "gptq"); }).find("nf4"),
            std::string::npos);
  EXPECT_NE(error_text([&] { convert(kDemo, dir / "out", "awq"); }).find("not quantized"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(dir / "out"));
  EXPECT_FALSE(fs::exists(dir / "out.gguf"));
}

TEST(Convert, DoesNotCarryDamageOver) {
  const TempDir dir;
  quantize(dir / "gptq", "int4", 128);
  std::string bytes = read_file(dir / "gptq" / "model.safetensors", 1 << 24);
  bytes[bytes.size() / 2] ^= 1;
  write_file(dir / "gptq" / "model.safetensors", bytes);
  EXPECT_NE(error_text([&] { convert(dir / "gptq", dir / "out", "awq"); }).find("SHA-256"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(dir / "out"));
}

TEST(Convert, KnowsEachKindOfLoss) {
  Codes codes = make_codes(grids::named("int4"), 2, 32, 32);
  std::fill(codes.scales.begin(), codes.scales.end(), 0.5f);
  std::fill(codes.zeros.begin(), codes.zeros.end(), 8.0f);
  Storable storable;
  EXPECT_EQ(loss_of(codes, storable), "");
  codes.scales[1] = 0.1f;
  EXPECT_NE(loss_of(codes, storable).find("F16"), std::string::npos);
  storable.scale_type = DType::kF32;
  EXPECT_EQ(loss_of(codes, storable), "");
  codes.zeros[1] = 7.5f;
  EXPECT_NE(loss_of(codes, storable).find("integer"), std::string::npos);
  codes.zeros[1] = 0;
  storable.lowest_zero = 1;
  EXPECT_NE(loss_of(codes, storable).find("zero 0"), std::string::npos);
  codes.group_index.assign(32, 0);
  EXPECT_NE(loss_of(codes, storable).find("order"), std::string::npos);
}

}  // namespace
}  // namespace nibble
