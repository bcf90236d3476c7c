// Unquantized models whose weights lie on grids become quantized ones without loss, or are refused
// before anything is written.
#include "quantize/convert/recover_modules.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "base/text.h"
#include "nibble/error.h"
#include "nibble/process.h"
#include "quantize/convert/convert.h"
#include "quantize/quantize.h"
#include "quantize/recovery/number_line.h"
#include "quantize/verify.h"
#include "support/dense_bytes.h"
#include "support/edited_model.h"
#include "support/error_text.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::error_text;
using test::TempDir;

const fs::path kDemo = fs::path(kSourceFolder) / "assets" / "demo";

struct Quantized {  // by rounding
  std::string layout, grid;
  std::size_t group = 32;
  bool asymmetric = false;
  std::string dialect = {}, other_grid = {};  // of the layers' down_proj
};

void quantize(const fs::path& output, const Quantized& as) {
  QuantizeOptions options;
  options.method = "rtn";
  options.grid = as.grid;
  options.group_size = as.group;
  options.layout = as.layout;
  options.dialect = as.dialect;
  options.settings = {{"scales", "absmax"}};  // the quickest
  if (as.asymmetric) options.settings["symmetry"] = "asymmetric";
  if (!as.other_grid.empty()) {
    Override rule;
    rule.pattern = "down_proj";
    rule.grid = &grids::named(as.other_grid);
    options.overrides.push_back(rule);
  }
  quantize_model(kDemo, output, options, {}, false);
}

// The weights of all layers, each rounded to `type`, by tensor.
std::map<std::string, std::vector<float>> weights_of(const fs::path& model, DType type) {
  const ModelSource source(model);
  std::map<std::string, std::vector<float>> weights;
  for (std::size_t layer = 0; layer < source.hyper().layers; ++layer) {
    const Block block = source.block(layer);
    for (std::size_t i = 0; i < kRoles; ++i) {
      Tensor rows(block.linears[i]->outputs(), block.linears[i]->inputs());
      block.linears[i]->decode(0, rows.view());
      auto& own = weights[cat(source.module_path(layer, static_cast<Role>(i)), ".weight")];
      for (std::size_t k = 0; k < rows.size(); ++k) own.push_back(rounded_to(type, rows.data()[k]));
    }
  }
  return weights;
}

// The demo with the weights that `quantized` decodes to, in `type`.
test::EditedModel decoded(const fs::path& quantized, DType type) {
  test::EditedModel model(kDemo);
  for (const auto& [name, weights] : weights_of(quantized, type)) {
    auto& entry = model.tensors.at(name);
    entry.bytes = test::dense_bytes(weights, type);
    entry.info.dtype = type;
    entry.info.bytes = entry.bytes.size();
  }
  return model;
}

void write(const test::EditedModel& model, const fs::path& folder) {
  model.write(folder);
  for (const char* file : {"tokenizer.json", "tokenizer_config.json", "generation_config.json"})
    if (fs::exists(kDemo / file)) fs::copy_file(kDemo / file, folder / file);
}

ConvertResult convert(const fs::path& from, const fs::path& to, const std::string& layout = "",
                      const GridHint& grid = {}) {
  ConvertOptions options;
  options.layout = layout;
  options.grid = grid;
  return convert_model(from, to, options, {}, {});
}

TEST(RecoverModules, FindsTheGridsOfEachLayout) {
  using enum DType;
  const std::pair<Quantized, std::vector<DType>> cases[] = {
      {{"gptq", "int4", 128}, {kBF16, kF32}},
      {{"gptq", "int4", 64, true}, {kBF16, kF16}},
      {{"awq", "int4", 32, true}, {kF32}},
      {{"compressed-tensors", "int4", 128}, {kBF16}},
      {{"compressed-tensors", "int8", 0}, {kBF16}},
      {{"compressed-tensors", "mxfp4", 32}, {kBF16}},
      {{"compressed-tensors", "nvfp4", 16}, {kBF16}},
      {{"compressed-tensors", "fp8", 0}, {kBF16}},
      {{"fp8", "fp8", 128}, {kBF16, kF32}},
      {{"mlx", "int4", 64}, {kBF16}},
      {{"hqq", "int4", 64}, {kBF16}},
      {{"bitsandbytes", "nf4", 64}, {kBF16}},
  };
  for (const auto& [as, types] : cases) {
    const TempDir dir;
    quantize(dir / "quantized", as);
    for (const DType type : types) {
      const std::string own(name(type));
      SCOPED_TRACE(cat(as.layout, ", ", as.grid, ", ", own));
      write(decoded(dir / "quantized", type), dir / own);
      const ConvertResult result = convert(dir / own, dir / ("from " + own), as.layout);
      EXPECT_EQ(result.from, "dense");
      EXPECT_EQ(result.modules, 42u);
      EXPECT_EQ(weights_of(dir / ("from " + own), type), weights_of(dir / "quantized", type));
      EXPECT_TRUE(verify_checkpoint(dir / ("from " + own), dir / own).passed());
      const std::string group = as.group == 0 ? "by row" : cat("in groups of ", as.group);
      EXPECT_EQ(result.grids, (std::map<std::string, std::size_t>{{cat(as.grid, " ", group), 42}}));
    }
  }
}

TEST(RecoverModules, MakesTheSmallestGgufTypeOfEachLayer) {
  const TempDir dir;
  Quantized as{"gguf", "int4", 32, false, "Q4_0"};
  as.other_grid = "int8";
  quantize(dir / "mixed.gguf", as);
  for (const DType type : {DType::kBF16, DType::kF16, DType::kF32}) {
    const std::string own(name(type));
    write(decoded(dir / "mixed.gguf", type), dir / own);
    const ConvertResult result = convert(dir / own, dir / (own + ".gguf"));
    EXPECT_EQ(result.grids, (std::map<std::string, std::size_t>{{"Q4_0", 36}, {"Q8_0", 6}}));
    EXPECT_EQ(result.dialect, "Q4_0");
    EXPECT_EQ(weights_of(dir / (own + ".gguf"), type), weights_of(dir / "mixed.gguf", type));
    EXPECT_TRUE(verify_checkpoint(dir / (own + ".gguf"), dir / own).passed());
  }
  set_threads(1);
  convert(dir / "BF16", dir / "one.gguf");
  set_threads(0);
  EXPECT_EQ(read_file(dir / "one.gguf", 1 << 25), read_file(dir / "BF16.gguf", 1 << 25));
}

TEST(RecoverModules, LooksOnlyForWhatWasAskedFor) {
  const TempDir dir;
  quantize(dir / "four.gguf", {"gguf", "int4", 32, false, "Q4_0"});
  write(decoded(dir / "four.gguf", DType::kBF16), dir / "dense");
  GridHint hint;
  hint.grid = "int8";
  EXPECT_EQ(convert(dir / "dense", dir / "eight.gguf", "", hint).dialect, "Q8_0");
  hint.group_size = 32;
  EXPECT_EQ(convert(dir / "dense", dir / "groups", "gptq", hint).grids.begin()->first,
            "int8 in groups of 32");
  hint = {};
  hint.grid = "int3";
  EXPECT_NE(error_text([&] { convert(dir / "dense", dir / "out.gguf", "", hint); }).find("none"),
            std::string::npos);
  hint.grid = "int9";
  EXPECT_NE(error_text([&] { convert(dir / "dense", dir / "out", "gptq", hint); }).find("int9"),
            std::string::npos);
  ConvertOptions options;
  options.dialect = "Q4_K";
  EXPECT_NE(error_text([&] {
              convert_model(dir / "dense", dir / "out.gguf", options, {}, {});
            }).find("Q4_0, "),
            std::string::npos);
  quantize(dir / "gptq", {"gptq", "int4", 32});
  EXPECT_NE(error_text([&] {
              convert(dir / "gptq", dir / "out", "awq", {"", "int4"});
            }).find("would not be read"),
            std::string::npos);
}

TEST(RecoverModules, RefusesOneChangedWeightAndNamesItsLayer) {
  const TempDir dir;
  quantize(dir / "four.gguf", {"gguf", "int4", 32, false, "Q4_0"});
  test::EditedModel model = decoded(dir / "four.gguf", DType::kBF16);
  auto& entry = model.tensors.at("model.layers.3.mlp.up_proj.weight");
  const auto columns = static_cast<std::size_t>(entry.info.shape[1]);
  // The last bit of a mantissa, at row 37 and column 70.
  entry.bytes[2 * (37 * columns + 70)] ^= std::byte{1};
  write(model, dir / "dense");
  for (const char* layout : {"", "gptq"}) {
    const std::string text =
        error_text([&] { convert(dir / "dense", dir / (*layout ? "out" : "out.gguf"), layout); });
    EXPECT_NE(text.find("model.layers.3.mlp.up_proj\""), std::string::npos) << text;
    EXPECT_NE(text.find("41 of 42 layers"), std::string::npos) << text;
    EXPECT_NE(text.find("row 37, column 64"), std::string::npos) << text;
    EXPECT_NE(text.find("nibble quantize"), std::string::npos) << text;
  }
  EXPECT_FALSE(fs::exists(dir / "out"));
  EXPECT_FALSE(fs::exists(dir / "out.gguf"));
}

TEST(RecoverModules, TakesTheEmbeddingAlongWhereItLiesOnAGrid) {
  const TempDir dir;
  QuantizeOptions options;
  options.method = "rtn";
  options.dialect = "Q8_0";
  options.types.embedding = "Q8_0";
  quantize_model(kDemo, dir / "eight.gguf", options, {}, false);
  test::EditedModel model = decoded(dir / "eight.gguf", DType::kBF16);
  const ModelSource source(dir / "eight.gguf");
  const auto embedding = source.embedding();
  Tensor rows(embedding->outputs(), embedding->inputs());
  embedding->decode(0, rows.view());
  auto& entry = model.tensors.at("model.embed_tokens.weight");
  entry.bytes = test::dense_bytes({rows.data(), rows.data() + rows.size()}, DType::kBF16);
  write(model, dir / "dense");
  const ConvertResult result = convert(dir / "dense", dir / "out.gguf");
  EXPECT_EQ(result.modules, 43u);
  EXPECT_TRUE(verify_checkpoint(dir / "out.gguf", dir / "dense").passed());
  EXPECT_NE(ModelSource(dir / "out.gguf").checkpoint().at("model.embed_tokens.weight").blocks,
            nullptr);
}

TEST(RecoverModules, MakesOneGroupSizeForLayoutsThatKnowNoOther) {
  const TempDir dir;
  // int4 in groups of 32, but for one layer whose scales repeat: that one lies in groups of 64,
  // too.
  quantize(dir / "awq", {"awq", "int4", 32, true});
  test::EditedModel model = decoded(dir / "awq", DType::kBF16);
  auto& entry = model.tensors.at("model.layers.0.mlp.gate_proj.weight");
  entry.bytes = test::dense_bytes(
      std::vector<float>(static_cast<std::size_t>(entry.info.shape[0] * entry.info.shape[1]), 0.5f),
      DType::kBF16);
  write(model, dir / "dense");
  const ConvertResult result = convert(dir / "dense", dir / "out", "awq");
  EXPECT_EQ(result.grids, (std::map<std::string, std::size_t>{{"int4 in groups of 32", 42}}));
}

}  // namespace
}  // namespace nibble
