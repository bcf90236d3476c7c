#include "model/config/rope_settings.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "nibble/error.h"
#include "support/error_text.h"

namespace nibble {
namespace {

HyperParams read(const char* hf_class, const char* more) {
  Json config = parse_json(R"({"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4,
                               "num_attention_heads": 4, "vocab_size": 100,
                               "max_position_embeddings": 128})");
  config["architectures"] = Json::array({hf_class});
  config.update(parse_json(more));
  return read_hyper_params(config, find_spec(config));
}

HyperParams llama(const char* more) { return read("LlamaForCausalLM", more); }

std::vector<double> frequencies(const char* more) { return llama(more).rope.frequencies; }

TEST(RopeSettings, AreReadFromBothForms) {
  const auto old_form =
      frequencies(R"({"rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 4}})");
  EXPECT_EQ(old_form[0], 0.25);
  for (const char* more :
       {R"({"rope_parameters": {"rope_type": "linear", "rope_theta": 5e5, "factor": 4}})",
        R"({"rope_theta": 5e5, "rope_parameters": {"type": "linear", "factor": 4}})",
        R"({"rope_parameters": {"rope_type": "linear", "rope_theta": 5e5, "factor": 4},
            "rope_scaling": null})",
        R"({"rope_parameters": {"rope_type": "linear", "rope_theta": 5e5, "factor": 4},
            "rope_scaling": {}})",
        R"({"rope_parameters": {
            "full_attention": {"rope_type": "linear", "rope_theta": 5e5, "factor": 4}}})"})
    EXPECT_EQ(frequencies(more), old_form) << more;
}

TEST(RopeSettings, OfTheOldFormCountBesideThoseOfTheNew) {
  const HyperParams both = llama(R"({"rope_theta": 5e5,
      "rope_scaling": {"rope_type": "linear", "factor": 4},
      "rope_parameters": {"rope_theta": 5e5, "rope_type": "default"}})");
  EXPECT_EQ(both.rope.frequencies[0], 0.25);
  ASSERT_EQ(both.notes.size(), 1u);
  EXPECT_NE(both.notes[0].find("rope_scaling says linear 4"), std::string::npos) << both.notes[0];
  EXPECT_NE(both.notes[0].find("rope_parameters say default"), std::string::npos) << both.notes[0];
  // The base comes from where it stands.
  const HyperParams added = llama(R"({"rope_scaling": {"rope_type": "linear", "factor": 4},
      "rope_parameters": {"rope_theta": 5e5, "rope_type": "default"}})");
  EXPECT_EQ(added.rope.frequencies, both.rope.frequencies);
  const HyperParams alike = llama(R"({"rope_theta": 5e5,
      "rope_scaling": {"rope_type": "linear", "factor": 4},
      "rope_parameters": {"rope_theta": 5e5, "rope_type": "linear", "factor": 4}})");
  EXPECT_EQ(alike.rope.frequencies, both.rope.frequencies);
  EXPECT_TRUE(alike.notes.empty());
}

TEST(RopeSettings, OfTheOldFormLeaveLayersWithAWindowAloneWhereTheyHaveTheirOwn) {
  const HyperParams both = read("Gemma3ForCausalLM", R"({"sliding_window": 32, "rope_theta": 1e5,
      "rope_scaling": {"rope_type": "linear", "factor": 8}, "rope_parameters": {
        "full_attention": {"rope_type": "default", "rope_theta": 2e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 5e3}}})");
  EXPECT_EQ(both.rope.theta, 2e6);
  EXPECT_EQ(both.rope.frequencies[0], 0.125);
  EXPECT_EQ(both.window_rope.theta, 5e3);
  EXPECT_EQ(both.window_rope.frequencies[0], 1);
  // Here nobody can say which layers one object for all is for.
  EXPECT_EQ(test::error_kind(
                [] { read("Gemma3ForCausalLM", R"({"rope_parameters": {"rope_theta": 5e3}})"); }),
            ErrorKind::kUnsupported);
}

TEST(RopeSettings, ScaleLongWavelengthsAsLlama3Does) {
  const auto scaled = frequencies(R"({"rope_parameters": {"rope_type": "llama3", "rope_theta": 5e5,
      "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4,
      "original_max_position_embeddings": 64}})");
  const auto plain = frequencies(R"({"rope_theta": 5e5})");
  EXPECT_EQ(scaled[0], plain[0]);  // 6 positions: shorter than 64 / 4
  EXPECT_LT(scaled[1], plain[1]);  // 32: between 64 / 4 and 64
  EXPECT_GT(scaled[1], plain[1] / 8);
  EXPECT_EQ(scaled[7], plain[7] / 8);  // longer than 64
}

// The golden model llama_yarn compares the numbers with transformers.
TEST(RopeSettings, ScaleSlowPairsAndScoresAsYarnDoes) {
  const HyperParams hyper = llama(R"({"rope_scaling": {"rope_type": "yarn", "factor": 8,
      "original_max_position_embeddings": 64, "beta_fast": 8, "beta_slow": 0.5}})");
  const auto plain = frequencies("{}");
  EXPECT_EQ(hyper.rope.frequencies[0], plain[0]);
  EXPECT_LT(hyper.rope.frequencies[1], plain[1]);
  EXPECT_GT(hyper.rope.frequencies[1], plain[1] / 8);
  EXPECT_DOUBLE_EQ(hyper.rope.frequencies[7], plain[7] / 8);
  EXPECT_NEAR(hyper.rope.attention_factor, 0.1 * std::log(8) + 1, 1e-12);
}

TEST(RopeSettings, OfYarnMayNameTheGrowthOfScores) {
  const auto factor = [](const char* more) { return llama(more).rope.attention_factor; };
  EXPECT_EQ(factor(R"({"rope_scaling": {"rope_type": "yarn", "factor": 8,
                                        "attention_factor": 1.5}})"),
            1.5);
  EXPECT_NEAR(factor(R"({"rope_scaling": {"rope_type": "yarn", "factor": 8, "mscale": 2,
                                          "mscale_all_dim": 1}})"),
              (0.2 * std::log(8) + 1) / (0.1 * std::log(8) + 1), 1e-12);
  // Without a factor: what the context has grown by.
  EXPECT_NEAR(factor(R"({"rope_scaling": {"rope_type": "yarn", "factor": null,
                                          "original_max_position_embeddings": 32}})"),
              0.1 * std::log(4) + 1, 1e-12);
}

TEST(RopeSettings, NeverRunUnscaledInsteadOfAsAKindThatIsNotKnown) {
  for (const char* kind : {"dynamic", "longrope", "su", "proportional", "mrope", "ntk", ""})
    for (const char* place : {"rope_scaling", "rope_parameters"})
      for (const char* key : {"type", "rope_type"}) {
        Json config = Json::object();
        config[place] = {{key, kind}, {"factor", 4}};
        const auto open = [&] { llama(config.dump().c_str()); };
        EXPECT_EQ(test::error_kind(open), ErrorKind::kUnsupported) << config;
        EXPECT_NE(test::error_text(open).find(kind), std::string::npos) << config;
      }
}

TEST(RopeSettings, RefuseWhatIsHalfSaid) {
  for (const char* more :
       {R"({"rope_scaling": {"factor": 4}})", R"({"rope_scaling": {"type": "linear"}})",
        R"({"rope_scaling": "linear"})", R"({"rope_scaling": [4]})", R"({"rope_scaling": 4})",
        R"({"rope_parameters": {"full_attention": 4}})",
        R"({"rope_scaling": {"type": "linear", "factor": null}})",
        R"({"rope_scaling": {"type": "linear", "factor": -2}})",
        R"({"rope_scaling": {"rope_type": "yarn"}})",
        R"({"rope_theta": 1, "rope_scaling": {"rope_type": "yarn", "factor": 4}})",
        R"({"rope_scaling": {"rope_type": "llama3", "factor": 8}})",
        R"({"rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 4,
                             "high_freq_factor": 4}})"})
    EXPECT_EQ(test::error_kind([&] { llama(more); }), ErrorKind::kCorruptFile) << more;
}

}  // namespace
}  // namespace nibble
