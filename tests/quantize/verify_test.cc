// What loading would refuse is told by verify too.
#include "quantize/verify.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "model/source.h"
#include "nibble/error.h"
#include "quantize/quantize.h"
#include "support/edited_model.h"
#include "support/error_text.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::EditedModel;
using test::error_text;
using test::TempDir;

const fs::path kDemo = fs::path(kSourceFolder) / "assets" / "demo";
const std::string kUp = "model.layers.1.mlp.up_proj", kDown = "model.layers.1.mlp.down_proj";

void quantize(const fs::path& output, const std::string& layout, const std::string& grid) {
  QuantizeOptions options;
  options.method = "rtn";
  options.grid = grid;
  options.layout = layout;
  quantize_model(kDemo, output, options, {}, false);
}

bool has_error(const VerifyResult& result, std::string_view rule, std::string_view text) {
  return std::any_of(result.findings.begin(), result.findings.end(), [&](const Finding& finding) {
    return finding.error && finding.rule == rule && finding.text.find(text) != std::string::npos;
  });
}

struct Case {
  const char *layout, *grid;
};

class VerifySizes : public testing::TestWithParam<Case> {};

TEST_P(VerifySizes, FindsAModuleOfOtherSizesThanTheModels) {
  const TempDir dir;
  quantize(dir / "sound", GetParam().layout, GetParam().grid);
  EXPECT_TRUE(verify_checkpoint(dir / "sound", std::nullopt).passed());
  EditedModel model(dir / "sound");
  // Its tensors agree with each other, and would be the model's in another place.
  std::erase_if(model.tensors, [](const auto& entry) { return entry.first.starts_with(kUp); });
  const auto before = model.tensors;
  for (const auto& [name, entry] : before)
    if (name.starts_with(kDown)) model.tensors[kUp + name.substr(kDown.size())] = entry;
  model.write(dir / "turned");
  const VerifyResult result = verify_checkpoint(dir / "turned", std::nullopt);
  EXPECT_TRUE(has_error(result, "model.module", kUp + "\" is 256 x 768; config.json asks for"));
}

INSTANTIATE_TEST_SUITE_P(Layouts, VerifySizes,
                         testing::Values(Case{"gptq", "int4"}, Case{"awq", "int4"},
                                         Case{"compressed-tensors", "int4"}, Case{"hqq", "int4"},
                                         Case{"mlx", "int4"}, Case{"bitsandbytes", "nf4"},
                                         Case{"bitsandbytes-int8", "int8"}, Case{"fp8", "fp8"}),
                         [](const auto& each) {
                           std::string name = each.param.layout;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Verify, NamesTheWeightFileWhereATensorIsAtFault) {
  const TempDir dir;
  quantize(dir / "sound", "gptq", "int4");
  EditedModel model(dir / "sound");
  model.set_rows(kDown + ".scales", 1);
  model.write(dir / "cut");
  const std::string text = error_text([&] { ModelSource(dir / "cut").block(1); });
  EXPECT_TRUE(text.starts_with((dir / "cut/model.safetensors").string())) << text;
  EXPECT_EQ(text.find("cut/config.json"), std::string::npos) << text;
  const VerifyResult result = verify_checkpoint(dir / "cut", std::nullopt);
  // The layout tells it; it is not told twice.
  EXPECT_TRUE(has_error(result, "gptq.tensors", kDown));
  EXPECT_FALSE(has_error(result, "model.module", kDown));
}

}  // namespace
}  // namespace nibble
