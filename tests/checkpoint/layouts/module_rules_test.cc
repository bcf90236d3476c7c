// Which rule decides about a module, and what rules may cost.
#include "checkpoint/layouts/module_rules.h"

#include <gtest/gtest.h>

#include "base/progress.h"
#include "base/text.h"
#include "support/error_text.h"

namespace nibble::layouts {
namespace {

const ModuleSettings kEight = {&grids::uniform(8), 64}, kTwo = {&grids::uniform(2), 32},
                     kThree = {&grids::uniform(3), 128};

int bits_of(const ModuleRules& rules, const std::string& module) {
  const ModuleSettings* found = rules.find(module);
  return found == nullptr ? 0 : found->grid->bits;
}

TEST(ModuleRules, TheFirstRuleThatMatchesDecides) {
  ModuleRules rules;
  rules.add(R"(.*\.(?:up|gate)_proj)", kEight);
  rules.add(R"(model\.layers\.0\.mlp\.up_proj$)", kTwo);
  rules.add(R"(model\.layers\.0\.mlp\.down_proj$)", kTwo);
  rules.add(R"(model\.layers\.0\.)", kThree);
  EXPECT_EQ(bits_of(rules, "model.layers.0.mlp.up_proj"), 8);
  EXPECT_EQ(bits_of(rules, "model.layers.0.mlp.down_proj"), 2);
  EXPECT_EQ(bits_of(rules, "model.layers.0.self_attn.q_proj"), 3);
  EXPECT_EQ(bits_of(rules, "model.layers.1.self_attn.q_proj"), 0);
}

TEST(ModuleRules, TellWhichRuleMatched) {
  ModuleRules rules;
  rules.add(R"(a\.)", std::nullopt);
  rules.add(ModuleRules::exactly("b.c+"), kEight);
  EXPECT_EQ(rules.match("a.b"), 0u);
  EXPECT_EQ(rules.match("b.c+"), 1u);
  EXPECT_EQ(rules.match("b.cc"), std::nullopt);
  EXPECT_EQ(rules.match("bxc+"), std::nullopt);
}

TEST(ModuleRules, PatternsMatchFromTheStartAndMayEndAnywhere) {
  ModuleRules rules;
  rules.add(R"(layers\.1)", kEight);
  rules.add(R"(model\.layers\.1)", kTwo);
  EXPECT_EQ(bits_of(rules, "model.layers.1.mlp.up_proj"), 2);
  EXPECT_EQ(bits_of(rules, "model.layers.12.mlp.up_proj"), 2);
}

TEST(ModuleRules, TheEndIsWrittenAsInPython) {
  ModuleRules rules;
  rules.add(R"(a\.b\Z)", kEight);
  rules.add(R"((?P<x>a)\.c\Z)", kTwo);
  rules.add(R"(^a\.d$)", kThree);
  EXPECT_EQ(bits_of(rules, "a.b"), 8);
  EXPECT_EQ(bits_of(rules, "a.b.c"), 0);
  EXPECT_EQ(bits_of(rules, "a.c"), 2);
  EXPECT_EQ(bits_of(rules, "a.cc"), 0);
  EXPECT_EQ(bits_of(rules, "a.d"), 3);
}

TEST(ModuleRules, ARuleWithoutSettingsHidesLaterOnes) {
  ModuleRules rules;
  rules.add(R"(a\.)", std::nullopt);
  rules.add("a", kEight);
  EXPECT_EQ(bits_of(rules, "a.b"), 0);
  EXPECT_EQ(bits_of(rules, "ab"), 8);
}

TEST(ModuleRules, AnUnescapedDotStandsForAnyCharacter) {
  ModuleRules rules;
  rules.add("a.b$", kEight);
  EXPECT_EQ(bits_of(rules, "a-b"), 8);
}

TEST(ModuleRules, TheModulesOfACheckpointShareTheSteps) {
  ModuleRules rules;
  rules.add("(?:(?:[a-z.]*)*)*_$", kEight);
  const std::string text = test::error_text([&] {
    for (int i = 0; i < 10'000; ++i) rules.find(cat("model.layers.", i, ".mlp.up_proj"));
  });
  EXPECT_NE(text.find("needs too much work on \"model.layers."), std::string::npos) << text;
  EXPECT_NE(text.find("(?:(?:[a-z.]*)*)*_$"), std::string::npos) << text;
}

TEST(ModuleRules, ARequestToStopIsHonoured) {
  ModuleRules rules;
  rules.add("(?:[a-z.]+)+X", kEight);
  request_stop();
  const auto kind = test::error_kind([&] { rules.find(std::string(40, 'a')); });
  forget_stop_request();
  EXPECT_EQ(kind, ErrorKind::kInterrupted);
}

TEST(ModuleRules, RefusesMoreThanACheckpointNeeds) {
  ModuleRules rules;
  EXPECT_EQ(test::error_kind([&] { rules.add(std::string(1001, 'a'), kTwo); }),
            ErrorKind::kCorruptFile);
  const std::string text = test::error_text([&] {
    for (int i = 0; i < 100; ++i) rules.add(std::string(900, 'a'), kTwo);
  });
  EXPECT_NE(text.find("together have more than 65536 bytes"), std::string::npos) << text;
}

TEST(ModuleRules, ManyRulesOfOneNameEachCostNothing) {
  ModuleRules rules;
  for (int i = 0; i < 20'000; ++i)
    rules.add(cat(R"(model\.layers\.)", i, R"(\.mlp\.up_proj$)"), kTwo);
  rules.add("model", kThree);
  EXPECT_EQ(bits_of(rules, "model.layers.19999.mlp.up_proj"), 2);
  EXPECT_EQ(bits_of(rules, "model.layers.20000.mlp.up_proj"), 3);
}

}  // namespace
}  // namespace nibble::layouts
