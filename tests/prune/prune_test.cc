#include "prune/prune.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "model/golden_model.h"
#include "model/transformer.h"
#include "nibble/quantize.h"
#include "prune/recipe.h"
#include "support/edited_model.h"
#include "support/error_text.h"
#include "support/temp_dir.h"
#include "tensor/half.h"

namespace nibble {
namespace {

namespace fs = std::filesystem;

const fs::path kDemo = fs::path(kSourceFolder) / "assets/demo";

// A golden model with a tokenizer beside it, and a text of token windows.
class Pruned : public testing::Test {
 protected:
  fs::path model(const std::string& name) {
    const fs::path folder = dir_ / ("model-" + name);
    test::EditedModel(test::kGoldenModels / name).write(folder);
    for (const char* file : {"tokenizer.json", "tokenizer_config.json"})
      if (fs::exists(kDemo / file)) fs::copy_file(kDemo / file, folder / file);
    return folder;
  }

  PruneOptions options() {
    Json windows = Json::array();
    for (int w = 0; w < 4; ++w) {
      Json window = Json::array();
      for (int i = 0; i < 24; ++i) window.push_back((7 + 31 * w + 13 * i + i * i) % 80);
      windows.push_back(window);
    }
    write_file(dir_ / "windows.json", Json{{"windows", windows}}.dump());
    PruneOptions options;
    options.calibration.sources = {{dir_ / "windows.json", 1}};
    options.calibration.samples = 4;
    options.calibration.length = 24;
    options.replace = true;
    return options;
  }

  test::TempDir dir_;
};

Tensor decoded(const Linear& linear) {
  Tensor weight(linear.outputs(), linear.inputs());
  linear.decode(0, weight.view());
  return weight;
}

Tensor logits_of(const fs::path& folder, const std::vector<std::int32_t>& ids) {
  const ModelSource source(folder);
  const Transformer model(source);
  Tensor hidden(ids.size(), model.hyper().hidden), logits(ids.size(), model.hyper().vocabulary);
  model.hidden_states(ids, ids.size(), hidden.view(), Compute::kFloat32);
  model.logits(hidden.view(), logits.view(), Compute::kFloat32);
  return logits;
}

// Columns of `whole` that `part` lacks; those it has must come in the same order.
std::set<std::size_t> missing_columns(ConstMatrix whole, ConstMatrix part) {
  std::set<std::size_t> missing;
  std::size_t next = 0;
  for (std::size_t c = 0; c < whole.columns; ++c) {
    bool same = next < part.columns;
    for (std::size_t r = 0; same && r < whole.rows; ++r) same = whole(r, c) == part(r, next);
    same ? void(++next) : void(missing.insert(c));
  }
  EXPECT_EQ(next, part.columns);
  return missing;
}

// Zeroes columns of a matrix of 16-bit values.
void zero_columns(test::EditedModel& model, const std::string& name,
                  const std::set<std::size_t>& columns) {
  auto& entry = model.tensors.at(name);
  const auto width = static_cast<std::size_t>(entry.info.shape[1]);
  for (std::size_t i = 0; i < entry.bytes.size() / 2; ++i)
    if (columns.contains(i % width)) std::memset(entry.bytes.data() + 2 * i, 0, 2);
}

// Without repair the smaller model computes what the whole one does whose outputs of the same heads
// and channels nobody reads: of every architecture, with biases, tied heads and norms of queries.
TEST_F(Pruned, SmallerModelsComputeWhatTheLargeOnesDoWithoutTheirParts) {
  std::size_t checked = 0;
  for (const std::string& name : test::golden_model_names()) {
    const fs::path whole = model(name);
    const ModelSource before(whole);
    if (before.block(0).linear(Role::kDown).kind() == "f32") continue;
    PruneOptions asked = options();
    asked.heads = 0.5;
    asked.channels = 0.3;
    asked.repair = false;
    prune_model(whole, dir_ / "out", asked, {}, {});
    test::EditedModel zeroed(whole);
    const ModelSource after(dir_ / "out");
    EXPECT_EQ(after.hyper().heads, before.hyper().heads / 2) << name;
    EXPECT_EQ(after.hyper().head_dim, before.hyper().head_dim) << name;
    EXPECT_EQ(after.hyper().mlp_hidden, 32u) << name;
    for (std::size_t layer = 0; layer < before.hyper().layers; ++layer)
      for (const Role role : {Role::kOutput, Role::kDown}) {
        const Tensor a = decoded(before.block(layer).linear(role)),
                     b = decoded(after.block(layer).linear(role));
        zero_columns(zeroed, before.module_path(layer, role) + ".weight",
                     missing_columns(a.view(), b.view()));
      }
    zeroed.write(dir_ / "zeroed");
    const auto ids = test::golden_logits(name).ids;
    const Tensor found = logits_of(dir_ / "out", ids), wanted = logits_of(dir_ / "zeroed", ids);
    EXPECT_LT(test::relative_error(found.view(), wanted.view()), 1e-5) << name;
    ++checked;
  }
  EXPECT_GE(checked, 10u);
}

TEST_F(Pruned, RepairBringsTheOutputsBack) {
  const fs::path whole = model("llama_groups");
  PruneOptions asked = options();
  asked.heads = 0.5;
  asked.channels = 0.3;
  std::map<bool, double> lost;
  for (const bool repair : {false, true}) {
    asked.repair = repair;
    const PruneResult result = prune_model(whole, dir_ / "out", asked, {}, {});
    ASSERT_EQ(result.modules.size(), 4u);
    for (const PrunedModule& module : result.modules) lost[repair] += *module.output_error;
  }
  EXPECT_LT(lost[true], 0.9 * lost[false]);
}

TEST_F(Pruned, ZerosAreWhereTheyWereAskedAndOtherWeightsStay) {
  const fs::path whole = model("qwen2");
  PruneOptions asked = options();
  asked.pattern = Pattern{2, 4};
  for (const char* method : {"magnitude", "wanda", "sparsegpt"}) {
    asked.method = method;
    asked.calibration = options().calibration;
    if (asked.method == "magnitude") asked.calibration.sources.clear();
    const PruneResult result = prune_model(whole, dir_ / "out", asked, {}, {});
    ASSERT_EQ(result.modules.size(), 14u);
    EXPECT_EQ(result.plan.weights_gone * 2, result.plan.weights);
    const ModelSource before(whole), after(dir_ / "out");
    for (std::size_t role = 0; role < kRoles; ++role) {
      const Block old = before.block(1), pruned = after.block(1);
      const Tensor a = decoded(*old.linears[role]), b = decoded(*pruned.linears[role]);
      EXPECT_EQ(pruned.linears[role]->kind(), "f16");  // as the source's
      for (std::size_t i = 0; i < b.size(); i += 4)
        EXPECT_GE(std::count(b.data() + i, b.data() + i + 4, 0.0f), 2) << method;
      for (std::size_t i = 0; i < b.size() && asked.method != "sparsegpt"; ++i)
        EXPECT_TRUE(b.data()[i] == 0 || b.data()[i] == a.data()[i]) << method;
    }
    const Json passport = read_json(dir_ / "out" / "nibble.json");
    EXPECT_EQ(passport["pruned"]["method"], method);
    EXPECT_EQ(passport["pruned"]["pattern"], "2:4");
    EXPECT_EQ(passport["pruned"]["modules"].size(), 14u);
    EXPECT_EQ(passport["calibration"].is_null(), asked.method == "magnitude");
  }
}

TEST_F(Pruned, LongWeightsBecomeShort) {
  PruneOptions asked = options();
  asked.channels = 0.3;
  prune_model(model("llama_heads"), dir_ / "out", asked, {}, {});
  const auto reader = open_checkpoint(dir_ / "out");
  for (const TensorInfo& info : reader->tensors())
    if (info.shape.size() == 2) {
      EXPECT_EQ(info.dtype, DType::kBF16) << info.name;
    }
}

TEST_F(Pruned, ThreadsChangeNothing) {
  const fs::path whole = model("llama_biases");
  PruneOptions single = options(), parts = options();
  single.sparsity = 0.5;
  parts.heads = parts.channels = 0.5;
  for (const PruneOptions& asked : {single, parts}) {
    std::string sums;
    for (const int count : {1, 3}) {
      set_threads(count);
      prune_model(whole, dir_ / "out", asked, {}, {});
      const std::string now = read_file(dir_ / "out" / "SHA256SUMS", 10000);
      if (!sums.empty()) {
        EXPECT_EQ(now, sums);
      }
      sums = now;
    }
  }
  set_threads(0);
}

struct Refusal {
  std::string text;
  void (*change)(PruneOptions& options);
};

TEST_F(Pruned, OptionsThatContradictAreNamed) {
  const Refusal refusals[] = {
      {"not told what to take out", [](PruneOptions&) {}},
      {"--sparsity 1.5 is no share", [](PruneOptions& o) { o.sparsity = 1.5; }},
      {"--heads 0 is no share", [](PruneOptions& o) { o.heads = 0; }},
      {"--channels -1 is no share", [](PruneOptions& o) { o.channels = -1; }},
      {"both say how many go",
       [](PruneOptions& o) {
         o.sparsity = 0.5, o.pattern = Pattern{2, 4};
       }},
      {"--sparsity zeroes single weights, --heads takes out whole ones",
       [](PruneOptions& o) { o.sparsity = 0.5, o.heads = 0.5; }},
      {"--method wanda would not be read",
       [](PruneOptions& o) { o.channels = 0.5, o.method = "wanda"; }},
      {"--calib would not be read",
       [](PruneOptions& o) { o.sparsity = 0.5, o.method = "magnitude"; }},
      {"--damping would not be read",
       [](PruneOptions& o) { o.sparsity = 0.5, o.method = "wanda", o.damping = 0.1; }},
      {"--no-repair would not be read",
       [](PruneOptions& o) { o.sparsity = 0.5, o.repair = false; }},
      {"choose from magnitude, wanda, sparsegpt",
       [](PruneOptions& o) { o.sparsity = 0.5, o.method = "wnda"; }},
  };
  for (const Refusal& refusal : refusals) {
    PruneOptions asked = options();
    refusal.change(asked);
    const std::string text = test::error_text([&] { check_options(asked); });
    EXPECT_NE(text.find(refusal.text), std::string::npos) << refusal.text << " in " << text;
  }
}

TEST_F(Pruned, RefusesWhatItCannotPrune) {
  const fs::path whole = model("llama_groups");
  const auto text = [&](const fs::path& from, const PruneOptions& asked) {
    return test::error_text([&] { prune_model(from, dir_ / "out", asked, {}, {}); });
  };
  PruneOptions asked = options();
  asked.pattern = Pattern{2, 5};
  EXPECT_NE(text(whole, asked).find("which 5 does not divide"), std::string::npos)
      << text(whole, asked);
  asked = options();
  asked.sparsity = 0.5;
  asked.memory_limit = 1000;
  EXPECT_NE(text(whole, asked).find("of memory"), std::string::npos) << text(whole, asked);
  asked.memory_limit = 0;
  QuantizeJob job;
  job.method = "rtn";
  job.group_size = 16;
  job.layout = "gptq";
  quantize(whole, dir_ / "packed", job);
  EXPECT_NE(text(dir_ / "packed", asked).find("is quantized"), std::string::npos)
      << text(dir_ / "packed", asked);
  test::EditedModel broken(whole);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::uint16_t bits = float_to_bfloat16(nan);
  std::memcpy(broken.tensors.at("model.layers.1.mlp.up_proj.weight").bytes.data(), &bits, 2);
  broken.write(dir_ / "broken");
  EXPECT_NE(text(dir_ / "broken", asked).find("not finite"), std::string::npos);
  prune_model(whole, dir_ / "out", asked, {}, {});
  asked.replace = false;
  EXPECT_NE(text(whole, asked).find("--force"), std::string::npos) << text(whole, asked);
}

}  // namespace
}  // namespace nibble
