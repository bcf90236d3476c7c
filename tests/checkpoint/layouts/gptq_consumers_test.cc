#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "checkpoint/layout.h"
#include "support/memory_checkpoint.h"

namespace nibble {
namespace {

using Rules = std::vector<std::string>;

const Layout& gptq() { return layouts::named("gptq"); }

// A module that every reader takes.
ShapedModule good(const std::string& name = "model.layers.0.self_attn.o_proj") {
  return {name, 256, 512, {&grids::named("int4"), 128}};
}

Rules rules_of(const std::vector<ShapedModule>& modules, const LayoutSettings& settings = {}) {
  Rules rules;
  for (const Finding& finding : gptq().consumers(modules, settings)) {
    EXPECT_FALSE(finding.error) << finding.text;
    rules.push_back(finding.rule);
  }
  return rules;
}

TEST(GptqConsumers, HaveNothingToSayOfSymmetricFourBitGroups) {
  EXPECT_EQ(rules_of({good()}), Rules{});
  ShapedModule whole_rows = good();
  whole_rows.settings.group_size = 0;
  EXPECT_EQ(rules_of({whole_rows}), Rules{});
}

TEST(GptqConsumers, NameTheRuleThatPlannedShapesBreak) {
  ShapedModule narrow = good(), ragged = good(), three = good(), eight = good(), groups = good();
  narrow.rows = 96;
  ragged.columns = 576;
  ragged.settings.group_size = 64;
  three.settings.grid = &grids::named("int3");
  eight.settings.grid = &grids::named("int8");
  groups.settings.group_size = 256;
  EXPECT_EQ(rules_of({narrow}), Rules{"vllm.marlin.shape"});
  EXPECT_EQ(rules_of({ragged}), Rules{"vllm.marlin.shape"});
  EXPECT_EQ(rules_of({three}), Rules{"vllm.marlin.bits"});
  EXPECT_EQ(rules_of({eight}), Rules{"vllm.cpu.bits"});
  EXPECT_EQ(rules_of({groups}), Rules{"vllm.marlin.group_size"});
}

TEST(GptqConsumers, NameTheRuleThatTheWholeCheckpointBreaks) {
  LayoutSettings asymmetric, indexed;
  asymmetric.symmetric = false;
  indexed.group_index = true;
  EXPECT_EQ(rules_of({good()}, asymmetric), Rules{"vllm.marlin.sym"});
  EXPECT_EQ(rules_of({good()}, indexed), Rules{"vllm.desc_act"});
}

TEST(GptqConsumers, WantFusedPartsAlike) {
  ShapedModule up = good("model.layers.3.mlp.up_proj"), gate = good("model.layers.3.mlp.gate_proj");
  EXPECT_EQ(rules_of({up, gate}), Rules{});
  gate.settings.group_size = 64;
  EXPECT_EQ(rules_of({up, gate}), Rules{"vllm.fused"});
}

TEST(GptqConsumers, CountTheModulesOfARule) {
  ShapedModule narrow = good("narrow");
  narrow.rows = 32;
  const std::vector<ShapedModule> modules = {good(), narrow, narrow};
  const auto findings = gptq().consumers(modules, {});
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_NE(findings[0].text.find("narrow is 32 x 512 (2 of 3 modules)"), std::string::npos)
      << findings[0].text;
}

// What the plan told of shapes, `verify` tells of the files.
TEST(GptqConsumers, SayTheSameOfAFinishedCheckpoint) {
  Codes codes = make_codes(grids::uniform(3), 32, 64, 32);
  std::fill(codes.zeros.begin(), codes.zeros.end(), 4.0f);
  std::fill(codes.scales.begin(), codes.scales.end(), 1.0f);
  LayoutSettings settings;
  settings.base = {&grids::uniform(3), 32};
  settings.dialect = "gptq";
  const test::MemoryCheckpoint checkpoint(gptq().write("m", codes, settings));
  Rules found;
  for (const Finding& finding : gptq().check(checkpoint, gptq().config(settings)))
    found.push_back(finding.rule);
  EXPECT_EQ(found, rules_of({{"m", 32, 64, {&grids::uniform(3), 32}}}, settings));
  EXPECT_EQ(found, (Rules{"vllm.marlin.bits", "vllm.marlin.shape"}));
}

}  // namespace
}  // namespace nibble
