// The worked examples of docs/extending.md do what the page says.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/files.h"
#include "quantize/apply_transforms.h"
#include "quantize/sample_task.h"
#include "support/memory_checkpoint.h"
#include "support/paths.h"
#include "support/sample_codes.h"

namespace nibble {
namespace grids {
extern const Grid thirds;
}
namespace methods {
extern const Method clipped;
}
namespace transforms {
extern const Transform level;
}
namespace layouts {
extern const Layout bytes;
}
namespace {

using test::output_loss;
using test::SampleTask;

TEST(AGridOfYourOwn, WorksWithEveryMethod) {
  SampleTask sample(8, 64, 300, 2, "auto", 16);
  sample.task.grid = &grids::thirds;
  Tensor nothing(8, 64);
  nothing.fill(0);
  const double whole = output_loss(sample.weight.view(), nothing.view(), sample.hessian.view());
  for (const Method* method : methods::all()) {
    const Codes codes = sample.quantized(method->name).codes;
    EXPECT_EQ(codes.grid, &grids::thirds);
    EXPECT_LT(output_loss(sample.task, codes), 0.6 * whole) << method->name;
  }
}

TEST(AMethodOfYourOwn, ReadsTheOptionItDeclares) {
  SampleTask sample(4, 64, 100, 4, "auto", 32);
  sample.task.options = Options(methods::clipped.options);
  const Codes usual = methods::clipped.quantize(sample.task).codes;
  sample.task.options.set(*methods::clipped.options[0], "0.5");
  const Codes half = methods::clipped.quantize(sample.task).codes;
  for (std::size_t i = 0; i < usual.scales.size(); ++i)
    EXPECT_NEAR(half.scales[i] / usual.scales[i], 0.5 / 0.9, 1e-3);
}

TEST(ATransformOfYourOwn, MovesGainsIntoWeightsAndSaysWhatChanged) {
  const ModelSource source(std::filesystem::path(kSourceFolder) / "assets" / "demo");
  Block block = source.block(0);
  Recipe recipe;
  recipe.transforms.push_back({&transforms::level, Options()});
  const auto changes = apply_transforms(source, block, recipe, Compute::kFloat32, nullptr).changes;
  for (const float gain : block.mlp_norm) EXPECT_NEAR(std::fabs(gain), 1, 1.0 / 128);
  // The norm, and as nothing is quantized here, both layers behind it.
  EXPECT_EQ(changes.size(), 3u);
}

TEST(ALayoutOfYourOwn, ReadsBackWhatItWrote) {
  const CodeShape shape = code_shape(32, 64, {&grids::named("int8"), 0});
  ASSERT_EQ(layouts::bytes.refusal(shape), "");
  Codes codes = test::sample_codes(shape, layouts::bytes.storable(shape, {}));
  for (float& zero : codes.zeros) zero = 128;
  const test::MemoryCheckpoint checkpoint(layouts::bytes.write("m", codes, {}));
  const auto modules = layouts::bytes.open(checkpoint, layouts::bytes.config({}));
  const Codes found = codes_of(*modules->open("m"));
  EXPECT_EQ(found.codes, codes.codes);
  EXPECT_EQ(found.scales, codes.scales);
  EXPECT_EQ(found.zeros, codes.zeros);
}

// Blocks of the page that begin with the name of one of these files are parts of it.
TEST(ExtendingPage, ShowsCodeThatIsCompiled) {
  const fs::path root = kSourceFolder;
  std::istringstream page(read_file(root / "docs" / "extending.md", 1 << 20));
  std::string line, block, file;
  std::size_t shown = 0;
  const std::string kFirst = "// tests/extending/";
  while (std::getline(page, line)) {
    if (line.starts_with(kFirst)) {
      file = line.substr(3);
      block.clear();
    } else if (line == "```" && !file.empty()) {
      EXPECT_NE(read_file(root / file, 1 << 20).find(block), std::string::npos)
          << file << " has no such lines:\n"
          << block;
      ++shown;
      file.clear();
    } else {
      block += line + "\n";
    }
  }
  EXPECT_GE(shown, 4u);
}

}  // namespace
}  // namespace nibble
