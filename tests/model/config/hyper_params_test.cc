#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "model/spec.h"
#include "nibble/error.h"
#include "support/error_text.h"

namespace nibble {
namespace {

Json config_of(const char* hf_class, const char* more = "{}") {
  Json config = parse_json(R"({"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4,
                               "num_attention_heads": 4, "vocab_size": 100,
                               "max_position_embeddings": 128})");
  config["architectures"] = Json::array({hf_class});
  config.update(parse_json(more));
  return config;
}

HyperParams read(const char* hf_class, const char* more = "{}") {
  const Json config = config_of(hf_class, more);
  return read_hyper_params(config, find_spec(config));
}

HyperParams llama(const char* more) { return read("LlamaForCausalLM", more); }

std::string refusal(const char* more) {
  return test::error_text([&] { llama(more); });
}

TEST(HyperParams, FillInWhatLlamaLeavesOut) {
  const HyperParams hyper = llama("{}");
  EXPECT_EQ(hyper.kv_heads, 4u);
  EXPECT_EQ(hyper.head_dim, 16u);
  EXPECT_EQ(hyper.rope.theta, 10000);
  EXPECT_FALSE(hyper.tied_head);
  EXPECT_EQ(hyper.windows, std::vector<std::size_t>(4, 0));
}

TEST(HyperParams, GiveMistralItsWindowOnAllLayers) {
  EXPECT_EQ(read("MistralForCausalLM", R"({"sliding_window": 32})").windows,
            std::vector<std::size_t>(4, 32));
  EXPECT_EQ(read("MistralForCausalLM", R"({"sliding_window": null})").windows,
            std::vector<std::size_t>(4, 0));
}

TEST(HyperParams, GiveMistralWindowsByTypeWhereTypesAreGiven) {
  const char* types = R"({"sliding_window": 32, "layer_types": ["full_attention",
      "sliding_attention", "sliding_attention", "full_attention"]})";
  EXPECT_EQ(read("MistralForCausalLM", types).windows, (std::vector<std::size_t>{0, 32, 32, 0}));
}

TEST(HyperParams, RefuseWindowsWhereTheArchitectureHasNone) {
  const char* types = R"({"sliding_window": 32, "layer_types": ["full_attention",
      "sliding_attention", "full_attention", "full_attention"]})";
  EXPECT_EQ(test::error_kind([&] { llama(types); }), ErrorKind::kUnsupported);
  const HyperParams stray = llama(R"({"sliding_window": 32, "layer_types": ["full_attention",
      "full_attention", "full_attention", "full_attention"]})");
  EXPECT_EQ(stray.windows, std::vector<std::size_t>(4, 0));
  ASSERT_EQ(stray.notes.size(), 1u);
  EXPECT_NE(stray.notes[0].find("sliding_window 32"), std::string::npos);
}

TEST(HyperParams, RefuseWindowsThatAreSwitchedOffOrHaveNoSize) {
  const char* types = R"("layer_types": ["sliding_attention", "full_attention", "full_attention",
                                         "full_attention"])";
  for (const char* name : {"Qwen2ForCausalLM", "Qwen3ForCausalLM"})
    EXPECT_EQ(test::error_kind(
                  [&] { read(name, cat(R"({"sliding_window": 32, )", types, "}").c_str()); }),
              ErrorKind::kUnsupported);
  for (const char* name : {"MistralForCausalLM", "Gemma3ForCausalLM", "Qwen3ForCausalLM"})
    EXPECT_EQ(
        test::error_kind([&] {
          read(name,
               cat(R"({"use_sliding_window": true, "sliding_window": null, )", types, "}").c_str());
        }),
        ErrorKind::kCorruptFile);
}

TEST(HyperParams, GiveQwenWindowsOnlyWhenAskedFor) {
  using Windows = std::vector<std::size_t>;
  EXPECT_EQ(read("Qwen2ForCausalLM", R"({"sliding_window": 32, "max_window_layers": 2})").windows,
            Windows(4, 0));
  EXPECT_EQ(read("Qwen2ForCausalLM", R"({"sliding_window": 32, "max_window_layers": 2,
                                         "use_sliding_window": true})")
                .windows,
            (Windows{0, 0, 32, 32}));
  EXPECT_EQ(read("Qwen3ForCausalLM", R"({"sliding_window": 32, "use_sliding_window": true,
      "layer_types": ["sliding_attention", "full_attention", "full_attention",
                      "sliding_attention"]})")
                .windows,
            (Windows{32, 0, 0, 32}));
}

TEST(HyperParams, GiveGemmaTwoKindsOfLayers) {
  const HyperParams old_place = read("Gemma3ForCausalLM", R"({"sliding_window": 32,
      "sliding_window_pattern": 3, "rope_scaling": {"rope_type": "linear", "factor": 8}})");
  EXPECT_EQ(old_place.windows, (std::vector<std::size_t>{32, 32, 0, 32}));
  EXPECT_EQ(old_place.rope_of(0).theta, 1e4);
  EXPECT_EQ(old_place.rope_of(0).frequencies[0], 1);
  EXPECT_EQ(old_place.rope_of(2).theta, 1e6);
  EXPECT_EQ(old_place.rope_of(2).frequencies[0], 0.125);
  const HyperParams new_place = read("Gemma3ForCausalLM", R"({"sliding_window": 32,
      "layer_types": ["sliding_attention", "sliding_attention", "full_attention",
                      "sliding_attention"],
      "rope_parameters": {
        "full_attention": {"rope_type": "linear", "rope_theta": 1e6, "factor": 8},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}})");
  EXPECT_EQ(new_place.windows, old_place.windows);
  EXPECT_EQ(new_place.rope.frequencies, old_place.rope.frequencies);
  EXPECT_EQ(new_place.window_rope.frequencies, old_place.window_rope.frequencies);
  EXPECT_EQ(read("Gemma3ForCausalLM", R"({"num_hidden_layers": 7})").windows,
            (std::vector<std::size_t>{4096, 4096, 4096, 4096, 4096, 0, 4096}));
}

TEST(HyperParams, KnowTheConstantsOfGemma) {
  const HyperParams hyper = read("Gemma3ForCausalLM");
  EXPECT_EQ(hyper.head_dim, 256u);
  EXPECT_EQ(hyper.attention_scale, 1.0f / 16);
  EXPECT_EQ(hyper.embedding_scale, 8.0f);
  EXPECT_EQ(hyper.activation, Activation::kGeluTanh);
  EXPECT_TRUE(hyper.tied_head);
  EXPECT_EQ(read("Gemma3ForCausalLM", R"({"query_pre_attn_scalar": 64})").attention_scale, 0.125f);
  for (const char* more :
       {R"({"attn_logit_softcapping": 50.0})", R"({"final_logit_softcapping": 30.0})",
        R"({"use_bidirectional_attention": true})"})
    EXPECT_EQ(test::error_kind([&] { read("Gemma3ForCausalLM", more); }), ErrorKind::kUnsupported)
        << more;
}

TEST(HyperParams, KnowWhichLayersHaveBiases) {
  EXPECT_TRUE(read("Qwen2ForCausalLM").qkv_bias);
  EXPECT_FALSE(read("Qwen2ForCausalLM", R"({"attention_bias": true})").output_bias);
  const HyperParams hyper = llama(R"({"attention_bias": true, "mlp_bias": true})");
  EXPECT_TRUE(hyper.qkv_bias && hyper.output_bias && hyper.mlp_bias);
  EXPECT_FALSE(llama("{}").qkv_bias);
  EXPECT_FALSE(read("MistralForCausalLM", R"({"attention_bias": true})").qkv_bias);
}

TEST(HyperParams, TakeOneEndTokenOrMany) {
  EXPECT_EQ(llama(R"({"eos_token_id": 7})").eos, std::vector<std::int32_t>{7});
  EXPECT_EQ(llama(R"({"eos_token_id": [7, 9]})").eos, (std::vector<std::int32_t>{7, 9}));
  EXPECT_TRUE(llama(R"({"eos_token_id": null})").eos.empty());
}

TEST(HyperParams, NameTheKeyAndTheValueTheyDoNotSupport) {
  for (const auto& [more, key, value] : std::vector<std::array<const char*, 3>>{
           {R"({"hidden_act": "gelu"})", "hidden_act", "\"gelu\""},
           {R"({"rope_scaling": {"rope_type": "longrope"}})", "rope_type", "\"longrope\""},
           {R"({"rope_parameters": {"rope_type": "su"}})", "rope_type", "\"su\""},
           {R"({"rope_scaling": {"type": "dynamic", "factor": 4}})", "rope_type", "\"dynamic\""},
           {R"({"partial_rotary_factor": 0.5})", "partial_rotary_factor", "0.5"},
           {R"({"rope_parameters": {"partial_rotary_factor": 0.25}})", "partial_rotary_factor",
            "0.25"}}) {
    EXPECT_EQ(test::error_kind([&, m = more] { llama(m); }), ErrorKind::kUnsupported) << more;
    EXPECT_NE(refusal(more).find(key), std::string::npos) << refusal(more);
    EXPECT_NE(refusal(more).find(value), std::string::npos) << refusal(more);
  }
}

TEST(HyperParams, RefuseNumbersThatMakeNoSense) {
  for (const char* more :
       {R"({"hidden_size": 0})", R"({"hidden_size": -64})", R"({"hidden_size": 1e30})",
        R"({"num_hidden_layers": 4294967296})", R"({"num_attention_heads": "4"})",
        R"({"num_key_value_heads": 3})", R"({"head_dim": 15})", R"({"rms_norm_eps": -1})",
        R"({"rope_theta": 0})", R"({"vocab_size": null})",
        R"({"rope_scaling": {"type": "linear", "factor": -2}})"})
    EXPECT_EQ(test::error_kind([&] { llama(more); }), ErrorKind::kCorruptFile) << more;
}

TEST(Specs, UnknownArchitecturesAreNamedBesideTheKnown) {
  const std::string text = test::error_text([] { find_spec(config_of("MambaForCausalLM")); });
  EXPECT_NE(text.find("MambaForCausalLM"), std::string::npos);
  for (const ModelSpec* spec : specs::all())
    EXPECT_NE(text.find(spec->hf_class), std::string::npos);
}

TEST(Specs, AreFoundByModelTypeWhenTheClassIsAbsent) {
  EXPECT_EQ(find_spec(parse_json(R"({"model_type": "qwen3"})")).name, "qwen3");
}

}  // namespace
}  // namespace nibble
