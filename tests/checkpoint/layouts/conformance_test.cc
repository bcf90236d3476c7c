// Every layout in the list, with every grid that it holds: what it writes it reads.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "checkpoint/layout.h"
#include "nibble/error.h"
#include "support/damaged_config.h"
#include "support/memory_checkpoint.h"
#include "support/sample_codes.h"

namespace nibble {
namespace {

using test::MemoryCheckpoint;
using test::sample_codes;

struct Case {
  const Layout* layout;
  const Grid* grid;
  std::string dialect;
};

std::string name_of(const Case& one) {
  std::string name = cat(one.layout->name, "_", one.grid->name, "_", one.dialect);
  std::replace(name.begin(), name.end(), '-', '_');  // all that gtest takes
  return name;
}
void PrintTo(const Case& one, std::ostream* out) { *out << name_of(one); }

// More than one block of rows, wherever rows share something.
constexpr std::size_t kRows = 192, kColumns = 256;

CodeShape shape_of(const Case& one) {
  const auto usual = one.layout->usual_groups(*one.grid, one.dialect);
  return code_shape(kRows, kColumns, {one.grid, usual.empty() ? 0 : usual.front()});
}

enum class Kind { kFolder, kFile, kForeign };

Kind kind_of(const Layout& layout) {
  if (!layout.suffix.empty()) return Kind::kFile;
  return layout.opens() ? Kind::kFolder : Kind::kForeign;
}

std::vector<Case> cases_of(Kind kind) {
  std::vector<Case> cases;
  for (const Layout* layout : layouts::all())
    if (kind_of(*layout) == kind)
      for (const Grid* grid : grids::all()) {
        if (!layout->refusal(shape_of({layout, grid, ""})).empty()) continue;
        cases.push_back({layout, grid, layouts::dialect_of(*layout, "")});
        for (const std::string_view dialect : layout->dialects)
          if (dialect != cases.back().dialect)
            cases.push_back({layout, grid, std::string(dialect)});
      }
  return cases;
}

std::vector<Case> all_cases() {
  std::vector<Case> cases = cases_of(Kind::kFolder);
  for (const Kind kind : {Kind::kFile, Kind::kForeign})
    for (Case& one : cases_of(kind)) cases.push_back(std::move(one));
  return cases;
}

class EveryLayout : public testing::TestWithParam<Case> {
 protected:
  const Layout& layout() const { return *GetParam().layout; }
  LayoutSettings settings() const {
    LayoutSettings settings;
    settings.base = {GetParam().grid, shape_of(GetParam()).group_size};
    settings.dialect = GetParam().dialect;
    settings.symmetric = false;
    return settings;
  }
  Codes codes() const {
    const CodeShape shape = shape_of(GetParam());
    return sample_codes(shape, layout().storable(shape, settings()));
  }
  std::vector<NamedBytes> written() const {
    return layout().write("model.layers.0.mlp.up_proj", codes(), settings());
  }
  Json config() const { return layout().config(settings()); }
};

// Those that a config.json describes.
class EveryFolderLayout : public EveryLayout {};
// Those whose tensors describe themselves.
class EveryFileLayout : public EveryLayout {};
// Those that only other programs open.
class EveryForeignLayout : public EveryLayout {};

TEST_P(EveryFolderLayout, ReadsBackTheWeightsThatItWrote) {
  const Codes expected = codes();
  const MemoryCheckpoint checkpoint(written());
  const auto modules = layout().open(checkpoint, config());
  ASSERT_TRUE(modules->holds("model.layers.0.mlp.up_proj"));
  EXPECT_FALSE(modules->holds("model.layers.0.mlp.down_proj"));
  const auto stored = modules->open("model.layers.0.mlp.up_proj");
  EXPECT_EQ(stored->shape().grid, &grids::stored(*expected.grid));
  const Codes found = codes_of(*stored);
  EXPECT_EQ(found.codes, expected.codes);
  EXPECT_EQ(found.zeros, expected.zeros);
  EXPECT_EQ(found.scales, expected.scales);
  Tensor here(kRows, kColumns), there(kRows, kColumns);
  decode_rows(expected, 0, here.view());
  decode_rows(*stored, 0, there.view());
  EXPECT_TRUE(std::equal(here.data(), here.data() + here.size(), there.data()));
}

TEST_P(EveryFileLayout, ReadsBackTheWeightsThatItWrote) {
  const Codes expected = codes();
  const auto tensors = written();
  ASSERT_EQ(tensors.size(), 1u);
  const TensorInfo& info = tensors.front().info;
  ASSERT_NE(info.blocks, nullptr);
  Tensor here(kRows, kColumns), there(kRows, kColumns);
  decode_rows(expected, 0, here.view());
  info.blocks->decode(reinterpret_cast<const std::uint8_t*>(tensors.front().bytes.data()),
                      kRows * kColumns / info.blocks->block, there.data());
  // Numbers that are added, not multiplied, meet in another order.
  for (std::size_t i = 0; i < here.size(); ++i)
    ASSERT_NEAR(here.data()[i], there.data()[i], 2e-6) << i;
}

TEST_P(EveryForeignLayout, UnpacksTheCodesThatItWrote) {
  const Codes expected = codes();
  auto tensors = written();
  const Codes found = layout().unpack(expected, tensors);
  EXPECT_EQ(found.codes, expected.codes);
  EXPECT_EQ(found.scales, expected.scales);
  EXPECT_EQ(found.zeros, expected.zeros);
  for (NamedBytes& tensor : tensors) {
    tensor.bytes[5] ^= std::byte{1};
    const Codes other = layout().unpack(expected, tensors);
    EXPECT_TRUE(other.codes != expected.codes || other.scales != expected.scales ||
                other.zeros != expected.zeros)
        << tensor.info.name;
    tensor.bytes[5] ^= std::byte{1};
  }
}

TEST_P(EveryForeignLayout, IsToldByItsFileAlone) {
  EXPECT_FALSE(layout().foreign_file.empty());
  EXPECT_EQ(layout().claims, nullptr);
  EXPECT_EQ(layout().recognises, nullptr);
  EXPECT_EQ(layout().check, nullptr);
}

TEST_P(EveryLayout, AnnouncesExactlyWhatItWrites) {
  const auto planned =
      layout().plan("model.layers.0.mlp.up_proj", shape_of(GetParam()), settings());
  const auto tensors = written();
  ASSERT_EQ(planned.size(), tensors.size());
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < planned.size(); ++i) {
    EXPECT_EQ(planned[i].name, tensors[i].info.name);
    EXPECT_EQ(planned[i].dtype, tensors[i].info.dtype);
    EXPECT_EQ(planned[i].shape, tensors[i].info.shape);
    EXPECT_EQ(planned[i].bytes, tensors[i].bytes.size()) << planned[i].name;
    bytes += planned[i].bytes;
  }
  // What does not grow with the matrix (codebooks, descriptions) stays out of the figure.
  const double promised = layout().bits_per_weight(shape_of(GetParam()), settings()) *
                          static_cast<double>(kRows * kColumns) / 8;
  EXPECT_NEAR(static_cast<double>(bytes), promised, 1400);
  EXPECT_GE(static_cast<double>(bytes), promised * 0.999);
}

TEST_P(EveryLayout, KnowsItsModuleByOneOfItsTensors) {
  std::size_t found = 0;
  for (const NamedBytes& tensor : written())
    if (const auto module = layout().module_of(tensor.info)) {
      EXPECT_EQ(*module, "model.layers.0.mlp.up_proj");
      ++found;
    }
  EXPECT_EQ(found, 1u);
  TensorInfo plain{"model.layers.0.mlp.up_proj.weight", DType::kBF16, {64, 256}, 64 * 256 * 2};
  EXPECT_FALSE(layout().module_of(plain).has_value());
}

TEST_P(EveryFolderLayout, ClaimsItsOwnConfigAndNoOther) {
  EXPECT_TRUE(layout().claims(config()));
  for (const Layout* other : layouts::all())
    if (other != &layout() && other->claims != nullptr) {
      EXPECT_FALSE(other->claims(config())) << other->name;
    }
}

TEST_P(EveryFolderLayout, RefusesATensorThatIsCutShort) {
  const std::size_t count = written().size();
  std::size_t refused = 0;
  for (std::size_t cut = 0; cut < count; ++cut) {
    auto tensors = written();
    NamedBytes& tensor = tensors[cut];
    tensor.bytes.resize(tensor.bytes.size() / 4);  // descriptions end in spaces
    tensor.info.bytes = tensor.bytes.size();
    if (!tensor.info.shape.empty()) tensor.info.shape[0] = (tensor.info.shape[0] + 3) / 4;
    const MemoryCheckpoint checkpoint(std::move(tensors));
    try {
      const auto modules = layout().open(checkpoint, config());
      codes_of(*modules->open("model.layers.0.mlp.up_proj"));
    } catch (const Error& error) {
      EXPECT_TRUE(error.kind() == ErrorKind::kCorruptFile ||
                  error.kind() == ErrorKind::kUnsupported)
          << error.what();
      ++refused;
    }
  }
  EXPECT_EQ(refused, count);
}

// Whatever a config says, what is not refused is read.
TEST_P(EveryFolderLayout, SurvivesADamagedConfig) {
  const MemoryCheckpoint checkpoint(written());
  std::size_t refused = 0;
  test::with_each_value_damaged(config(), [&](const Json& damaged) {
    try {
      if (!layout().claims(damaged)) return;
      codes_of(*layout().open(checkpoint, damaged)->open("model.layers.0.mlp.up_proj"));
      layout().check(checkpoint, damaged);
    } catch (const Error& error) {
      EXPECT_TRUE(error.kind() == ErrorKind::kCorruptFile ||
                  error.kind() == ErrorKind::kUnsupported)
          << damaged.dump() << ": " << error.what();
      ++refused;
    }
  });
  // Where tensors say everything nothing is.
  if (layout().recognises == nullptr) {
    EXPECT_GT(refused, 0u);
  }
}

TEST_P(EveryFolderLayout, PassesItsOwnCheck) {
  const MemoryCheckpoint checkpoint(written());
  for (const Finding& finding : layout().check(checkpoint, config()))
    EXPECT_FALSE(finding.error) << finding.rule << ": " << finding.text;
}

TEST_P(EveryLayout, SaysWhatItRefuses) {
  const Grid other{.name = "int7", .summary = "of no file", .bits = 7};
  CodeShape shape = shape_of(GetParam());
  shape.grid = &other;
  EXPECT_NE(layout().refusal(shape).find("int7"), std::string::npos) << layout().refusal(shape);
}

INSTANTIATE_TEST_SUITE_P(Layouts, EveryLayout, testing::ValuesIn(all_cases()),
                         [](const auto& one) { return name_of(one.param); });
INSTANTIATE_TEST_SUITE_P(Layouts, EveryFolderLayout, testing::ValuesIn(cases_of(Kind::kFolder)),
                         [](const auto& one) { return name_of(one.param); });
INSTANTIATE_TEST_SUITE_P(Layouts, EveryFileLayout, testing::ValuesIn(cases_of(Kind::kFile)),
                         [](const auto& one) { return name_of(one.param); });
INSTANTIATE_TEST_SUITE_P(Layouts, EveryForeignLayout, testing::ValuesIn(cases_of(Kind::kForeign)),
                         [](const auto& one) { return name_of(one.param); });

TEST(Layouts, AnUnknownDialectIsToldTheKnownOnes) {
  try {
    layouts::dialect_of(layouts::named("gptq"), "marlin");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("gptq, gptq_v2"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace nibble
