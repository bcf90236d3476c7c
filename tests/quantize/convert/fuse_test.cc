#include "quantize/convert/fuse.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "model/golden_model.h"
#include "model/source.h"
#include "nibble/quantize.h"
#include "support/temp_dir.h"
#include "tensor/half.h"

namespace nibble {
namespace {

namespace fs = std::filesystem;

const fs::path kAdapters = fs::path(kSourceFolder) / "tests/golden/adapter";

// `out` has the very weights that the two together stand for, rounded once where they were rounded.
void expect_fused(const fs::path& model, const fs::path& adapter, const fs::path& out,
                  const std::string& what) {
  const ModelSource before(model, adapter), after(out);
  const auto expect_rounded = [&](const Linear& a, const Linear& b) {
    Tensor expected(a.outputs(), a.inputs()), found(a.outputs(), a.inputs());
    a.decode(0, expected.view());
    b.decode(0, found.view());
    const bool half = b.kind() == "f16";
    for (std::size_t i = 0; i < found.size(); ++i) {
      const float wanted = half ? half_to_float(float_to_half(expected.data()[i]))
                                : bfloat16_to_float(float_to_bfloat16(expected.data()[i]));
      const bool same = found.data()[i] == wanted || found.data()[i] == expected.data()[i];
      ASSERT_TRUE(same) << what << ": " << found.data()[i] << ", not " << wanted;
    }
  };
  for (std::size_t layer = 0; layer < before.hyper().layers; ++layer) {
    const Block a = before.block(layer), b = after.block(layer);
    for (std::size_t role = 0; role < kRoles; ++role)
      expect_rounded(*a.linears[role], *b.linears[role]);
  }
  expect_rounded(*before.embedding(), *after.embedding());
  expect_rounded(*before.head(), *after.head());
}

TEST(Fuse, GivesTheWeightsThatTheTwoStandFor) {
  for (const char* name : {"plain", "biases", "patterns", "dora", "embedding", "head", "norms"}) {
    std::string model = read_file(kAdapters / name / "model", 100);
    model.resize(model.find('\n'));
    const test::TempDir dir;
    const FuseResult result =
        fuse(test::kGoldenModels / model, kAdapters / name, dir / "out", {}, {}, {});
    EXPECT_GT(result.fused, 0u) << name;
    EXPECT_EQ(result.unpacked, 0u) << name;
    expect_fused(test::kGoldenModels / model, kAdapters / name, dir / "out", name);
    const bool untied = std::string(name) == "embedding" || std::string(name) == "head";
    EXPECT_EQ(result.untied, untied) << name;
    if (untied) {
      EXPECT_EQ(read_json(dir / "out" / "config.json")["tie_word_embeddings"], false);
    }
  }
}

// What has no addition stays as it was, bit for bit.
TEST(Fuse, LeavesOtherTensorsAlone) {
  const test::TempDir dir;
  fuse(test::kGoldenModels / "qwen2", kAdapters / "biases", dir / "out", {}, {}, {});
  const auto before = open_checkpoint(test::kGoldenModels / "qwen2");
  const auto after = open_checkpoint(dir / "out");
  ASSERT_EQ(before->tensors().size(), after->tensors().size());
  std::size_t changed = 0;
  for (const TensorInfo& info : before->tensors()) {
    const auto a = before->bytes(info), b = after->bytes(after->at(info.name));
    if (std::equal(a.begin(), a.end(), b.begin(), b.end())) continue;
    ++changed;
    EXPECT_TRUE(info.name.ends_with("q_proj.weight") || info.name.ends_with("v_proj.weight"))
        << info.name;
  }
  EXPECT_EQ(changed, 4u);
}

// A packed model: the adapter was trained on what its codes stand for, and that is what is written.
TEST(Fuse, UnpacksThePackedModelThatTheAdapterWasTrainedOn) {
  const test::TempDir dir;
  const fs::path model = test::kGoldenModels / "llama_groups";
  QuantizeJob job;
  job.method = "rtn";
  job.group_size = 16;
  job.layout = "gptq";
  quantize(model, dir / "packed", job);
  const FuseResult result = fuse(dir / "packed", kAdapters / "plain", dir / "out", {}, {}, {});
  EXPECT_GT(result.unpacked, 0u);
  EXPECT_FALSE(read_json(dir / "out" / "config.json").contains("quantization_config"));
  expect_fused(dir / "packed", kAdapters / "plain", dir / "out", "packed");
}

}  // namespace
}  // namespace nibble
