// Which type each matrix gets, against what llama-quantize was seen to give.
// scripts/check_gguf_mixes.py compares whole models with it.
#include "checkpoint/gguf_mixes.h"

#include <gtest/gtest.h>

#include <string>

namespace nibble {
namespace {

std::string type_of(std::string_view mix, GgufPart part, std::size_t index, std::size_t layers,
                    const GgufModelFacts& facts = {}, std::size_t columns = 512) {
  const GgufType wanted = gguf_mixes::type_of(
      gguf_mixes::named(mix), {.part = part, .index = index, .layers = layers, .columns = columns},
      facts);
  return std::string(name(gguf_type_for_rows(wanted, columns)));
}

// "66--6-" for layers that get Q6_K or nothing special.
std::string down_of(std::string_view mix, std::string_view more, std::size_t layers,
                    const GgufModelFacts& facts = {}) {
  std::string marks;
  for (std::size_t i = 0; i < layers; ++i)
    marks += type_of(mix, GgufPart::kDown, i, layers, facts) == more ? 'x' : '-';
  return marks;
}

TEST(GgufMixes, HaveTheirNamesAndNumbers) {
  EXPECT_EQ(gguf_mixes::find("Q4_K", false), nullptr);
  EXPECT_EQ(gguf_mixes::find("Q6_K", false), nullptr);
  EXPECT_EQ(gguf_mixes::find("Q7_K_M", true), nullptr);
  EXPECT_EQ(gguf_mixes::name(*gguf_mixes::find("q4_k_m", false)), "Q4_K_M");
  EXPECT_EQ(gguf_mixes::name(*gguf_mixes::find("Q4_K", true)), "Q4_K_M");
  EXPECT_EQ(gguf_mixes::file_type(gguf_mixes::named("Q4_K_M")), 15u);
  EXPECT_EQ(gguf_mixes::file_type(gguf_mixes::named("Q2_K_S")), 21u);
  EXPECT_EQ(gguf_mixes::base(gguf_mixes::named("Q3_K_L")).name, "Q3_K");
}

TEST(GgufMixes, GiveMoreBitsToSomeLayers) {
  EXPECT_EQ(down_of("Q4_K_M", "Q6_K", 6), "--x--x");
  EXPECT_EQ(down_of("Q4_K_M", "Q6_K", 17), "xx--x--x--x--xxxx");
  EXPECT_EQ(down_of("Q4_K_S", "Q5_K", 17), "xx---------------");
  EXPECT_EQ(down_of("Q3_K_M", "Q5_K", 32), "xx" + std::string(30, '-'));
  EXPECT_EQ(type_of("Q3_K_M", GgufPart::kDown, 2, 32), "Q4_K");
  EXPECT_EQ(type_of("Q3_K_M", GgufPart::kValue, 1, 32), "Q5_K");
  EXPECT_EQ(type_of("Q3_K_M", GgufPart::kValue, 2, 32), "Q4_K");
  EXPECT_EQ(type_of("Q3_K_L", GgufPart::kAttentionOutput, 9, 32), "Q5_K");
  EXPECT_EQ(type_of("Q4_K_M", GgufPart::kGate, 0, 32), "Q4_K");
}

TEST(GgufMixes, LookAtHeadsSizeAndCalibration) {
  const GgufModelFacts shared{.shared_values = true}, calibrated{.importance = true};
  const GgufModelFacts large{.shared_values = true, .seventy_billion = true};
  EXPECT_EQ(type_of("Q2_K", GgufPart::kValue, 0, 32), "Q3_K");
  EXPECT_EQ(type_of("Q2_K", GgufPart::kValue, 0, 32, shared), "Q4_K");
  EXPECT_EQ(type_of("Q2_K", GgufPart::kValue, 0, 80, large), "Q5_K");
  EXPECT_EQ(type_of("Q3_K_S", GgufPart::kValue, 9, 80, large), "Q5_K");
  EXPECT_EQ(type_of("IQ4_XS", GgufPart::kValue, 9, 32, shared), "Q5_K");
  EXPECT_EQ(down_of("IQ4_NL", "Q5_K", 9), "x--------");
  EXPECT_EQ(down_of("IQ4_NL", "Q5_K", 9, calibrated), "---------");
  EXPECT_EQ(down_of("Q4_0", "Q4_1", 9), "---------");
  EXPECT_EQ(down_of("Q4_0", "Q4_1", 9, calibrated), "x--------");
}

TEST(GgufMixes, GiveTheHeadMoreBitsAndATiedEmbeddingToo) {
  EXPECT_EQ(type_of("Q4_0", GgufPart::kHead, 0, 8), "Q6_K");
  EXPECT_EQ(type_of("Q8_0", GgufPart::kHead, 0, 8), "Q8_0");
  EXPECT_EQ(type_of("Q2_K", GgufPart::kEmbedding, 0, 8), "Q2_K");
  EXPECT_EQ(type_of("Q2_K", GgufPart::kEmbedding, 0, 8, {.tied = true}), "Q6_K");
  EXPECT_EQ(type_of("Q4_K_M", GgufPart::kHead, 0, 8, {}, 576), "Q8_0");
  EXPECT_EQ(type_of("Q4_0", GgufPart::kHead, 0, 8, {}, 576), "Q8_0");
}

TEST(GgufMixes, KeepTheEmbeddingOfTernaryLayers) {
  EXPECT_EQ(type_of("TQ2_0", GgufPart::kUp, 0, 8), "TQ2_0");
  EXPECT_EQ(type_of("TQ2_0", GgufPart::kEmbedding, 0, 8), "Q4_K");
  EXPECT_EQ(type_of("TQ2_0", GgufPart::kHead, 0, 8), "Q6_K");
  EXPECT_EQ(type_of("Q1_0", GgufPart::kEmbedding, 0, 8), "Q1_0");
  EXPECT_EQ(type_of("MXFP4_MOE", GgufPart::kUp, 0, 8), "Q8_0");
  EXPECT_EQ(type_of("TQ1_0", GgufPart::kUp, 0, 8, {}, 576), "Q4_0");
}

TEST(GgufMixes, TakeSmallerBlocksForRowsThatLargeOnesDoNotDivide) {
  const auto smaller = [](std::string_view type, std::size_t columns) {
    return std::string(name(gguf_type_for_rows(gguf_type_named(type), columns)));
  };
  EXPECT_EQ(smaller("Q2_K", 576), "Q4_0");
  EXPECT_EQ(smaller("Q3_K", 576), "Q4_0");
  EXPECT_EQ(smaller("q4_k", 576), "Q5_0");
  EXPECT_EQ(smaller("Q5_K", 576), "Q5_1");
  EXPECT_EQ(smaller("Q6_K", 576), "Q8_0");
  EXPECT_EQ(smaller("IQ4_XS", 576), "IQ4_NL");
  EXPECT_EQ(smaller("Q4_K", 512), "Q4_K");
  EXPECT_EQ(smaller("Q8_0", 172), "F16");
  EXPECT_EQ(smaller("BF16", 171), "BF16");
}

}  // namespace
}  // namespace nibble
