// Where config.json and tensors disagree the tensors count, and a note says so.
#include "model/config/settled_config.h"

#include <gtest/gtest.h>

#include "model/golden_model.h"
#include "model/source.h"
#include "model/transformer.h"
#include "support/edited_model.h"
#include "support/error_text.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::EditedModel;
using test::kGoldenModels;
using test::TempDir;

struct Opened {
  HyperParams hyper;
  Json config;
  std::vector<std::string> notes;
  double error = 0;  // of the logits, against the golden model's

  bool tells(std::string_view words) const {
    return std::any_of(notes.begin(), notes.end(),
                       [&](const auto& note) { return note.find(words) != note.npos; });
  }
};

Opened open(const EditedModel& edited, const std::string& golden_name) {
  const TempDir folder;
  edited.write(folder.path());
  const ModelSource source(folder.path());
  const Transformer model(source);
  const auto golden = test::golden_logits(golden_name);
  Tensor hidden(golden.ids.size(), model.hyper().hidden);
  model.hidden_states(golden.ids, golden.ids.size(), hidden.view(), Compute::kFloat32);
  Tensor logits(golden.ids.size(), model.hyper().vocabulary);
  model.logits(hidden.view(), logits.view(), Compute::kFloat32);
  return {source.hyper(), source.config(), source.notes(),
          test::relative_error(logits.view().columns_at(0, golden.logits.columns()),
                               golden.logits.view())};
}

// The golden model with another config, which must make no difference.
Opened open(const std::string& golden, const std::function<void(Json&)>& change) {
  EditedModel edited(kGoldenModels / golden);
  change(edited.config);
  return open(edited, golden);
}

std::string refusal(const EditedModel& edited) {
  const TempDir folder;
  edited.write(folder.path());
  return test::error_text([&] { ModelSource source(folder.path()); });
}

TEST(SettledConfig, OfAConfigThatFitsIsThatConfigWithoutNotes) {
  for (const std::string& name : test::golden_model_names()) {
    const ModelSource source(kGoldenModels / name);
    EXPECT_EQ(source.config(), read_json(kGoldenModels / name / "config.json")) << name;
    EXPECT_EQ(source.notes(), std::vector<std::string>{}) << name;
  }
}

TEST(SettledConfig, TakesNumbersFromTheTensors) {
  struct Case {
    const char *model, *key;
    int wrong;
  };
  for (const Case& c : std::vector<Case>{{"llama_groups", "vocab_size", 70},
                                         {"llama_groups", "vocab_size", 96},
                                         {"llama_groups", "intermediate_size", 56},
                                         {"llama_groups", "num_key_value_heads", 4},
                                         {"llama_groups", "num_key_value_heads", 1},
                                         {"llama_groups", "head_dim", 16},
                                         {"llama_groups", "head_dim", 4},
                                         {"mistral_window", "head_dim", 8},
                                         {"mistral_window", "num_key_value_heads", 4},
                                         {"qwen2", "intermediate_size", 40},
                                         {"qwen3", "head_dim", 12},
                                         {"qwen3", "num_attention_heads", 4},
                                         {"qwen3", "num_key_value_heads", 2},
                                         {"gemma3", "head_dim", 6},
                                         {"gemma3", "vocab_size", 81}}) {
    int right = 0;
    const Opened opened = open(c.model, [&](Json& config) {
      right = config.value(c.key, 8);
      config[c.key] = c.wrong;
    });
    EXPECT_EQ(opened.config[c.key], right) << c.model << ' ' << c.key;
    EXPECT_TRUE(opened.tells(std::string(c.key) + " " + std::to_string(c.wrong)))
        << c.model << ' ' << c.key;
    EXPECT_LE(opened.error, 1e-4) << c.model << ' ' << c.key;
  }
}

TEST(SettledConfig, TakesWhatTheConfigLeavesOutWithoutANote) {
  for (const auto& [model, key] :
       std::vector<std::pair<const char*, const char*>>{{"llama_groups", "num_key_value_heads"},
                                                        {"llama_scaled_tied", "head_dim"},
                                                        {"mistral_window", "head_dim"},
                                                        {"qwen3", "head_dim"},
                                                        {"gemma3", "head_dim"}}) {
    const Opened opened = open(model, [&, k = key](Json& config) { config.erase(k); });
    EXPECT_LE(opened.error, 1e-4) << model << ' ' << key;
    EXPECT_EQ(opened.notes, std::vector<std::string>{}) << model << ' ' << key;
  }
}

TEST(SettledConfig, CountsEveryRowOfAPaddedEmbedding) {
  EditedModel edited(kGoldenModels / "llama_groups");
  for (const char* name : {"model.embed_tokens.weight", "lm_head.weight"})
    edited.set_rows(name, 96);
  const Opened opened = open(edited, "llama_groups");
  EXPECT_EQ(opened.hyper.vocabulary, 96u);
  EXPECT_TRUE(opened.tells("vocab_size 80, the tensors 96"));
  EXPECT_LE(opened.error, 1e-4);
}

TEST(SettledConfig, RefusesAHeadOfAnotherVocabularyThanTheEmbeddings) {
  EditedModel edited(kGoldenModels / "llama_groups");
  edited.set_rows("lm_head.weight", 96);
  EXPECT_NE(refusal(edited).find("96 rows"), std::string::npos) << refusal(edited);
}

TEST(SettledConfig, LeavesWhatItCannotDecideToTheCheckOfShapes) {
  EditedModel edited(kGoldenModels / "llama_groups");
  edited.set_rows("model.layers.0.self_attn.q_proj.weight", 24);
  EXPECT_NE(refusal(edited).find("model.layers.0.self_attn.q_proj.weight"), std::string::npos);
  EditedModel second(kGoldenModels / "llama_groups");
  second.set_rows("model.layers.1.mlp.gate_proj.weight", 40);
  EXPECT_NE(refusal(second).find("model.layers.1.mlp.gate_proj.weight"), std::string::npos);
}

TEST(SettledConfig, UsesAHeadOfItsOwnWhateverTheFlagSays) {
  const Opened opened =
      open("llama_groups", [](Json& config) { config["tie_word_embeddings"] = true; });
  EXPECT_FALSE(opened.hyper.tied_head);
  EXPECT_EQ(opened.config["tie_word_embeddings"], false);
  EXPECT_TRUE(opened.tells("\"lm_head\" is another"));
  EXPECT_LE(opened.error, 1e-4);
}

TEST(SettledConfig, KeepsATiedFlagBesideACopyOfTheEmbedding) {
  EditedModel edited(kGoldenModels / "llama_scaled_tied");
  edited.tensors["lm_head.weight"] = edited.tensors.at("model.embed_tokens.weight");
  const Opened opened = open(edited, "llama_scaled_tied");
  EXPECT_TRUE(opened.hyper.tied_head);
  EXPECT_EQ(opened.notes, std::vector<std::string>{});
  EXPECT_LE(opened.error, 1e-4);
}

TEST(SettledConfig, FindsATiedEmbeddingUnderTheNameOfTheHead) {
  EditedModel edited(kGoldenModels / "llama_scaled_tied");
  edited.rename([](const std::string& name) {
    return name == "model.embed_tokens.weight" ? "lm_head.weight" : name;
  });
  EXPECT_LE(open(edited, "llama_scaled_tied").error, 1e-4);
}

TEST(SettledConfig, NotesThatTheEmbeddingStandsInForAMissingHead) {
  EditedModel edited(kGoldenModels / "llama_scaled_tied");
  edited.config["tie_word_embeddings"] = false;
  const Opened opened = open(edited, "llama_scaled_tied");
  EXPECT_TRUE(opened.hyper.tied_head);
  EXPECT_TRUE(opened.tells("no \"lm_head\""));
  EXPECT_LE(opened.error, 1e-4);
}

TEST(SettledConfig, UsesTheBiasesThatAreThere) {
  for (const char* key : {"attention_bias", "mlp_bias"}) {
    const Opened opened = open("llama_biases", [&](Json& config) { config[key] = false; });
    EXPECT_TRUE(opened.tells("biases")) << key;
    EXPECT_LE(opened.error, 1e-4) << key;
  }
  // Another kind of model, which has no such flag.
  const Opened mistral = open("llama_biases", [](Json& config) {
    config["architectures"] = {"MistralForCausalLM"};
    config["sliding_window"] = nullptr;
  });
  EXPECT_LE(mistral.error, 1e-4);
  EXPECT_TRUE(mistral.tells("model_type llama, but MistralForCausalLM"));
  const Opened llama = open("qwen2", [](Json& config) {
    config["architectures"] = {"LlamaForCausalLM"};
    config["sliding_window"] = nullptr;
  });
  EXPECT_TRUE(llama.hyper.qkv_bias);
  EXPECT_FALSE(llama.hyper.output_bias);
  EXPECT_LE(llama.error, 1e-4);
}

TEST(SettledConfig, RunsWithoutTheBiasesThatAreNot) {
  const Opened flagged = open("llama_groups", [](Json& config) {
    config["attention_bias"] = true;
    config["mlp_bias"] = true;
  });
  EXPECT_TRUE(flagged.tells("biases on q, k and v"));
  EXPECT_TRUE(flagged.tells("biases on the MLP"));
  EXPECT_LE(flagged.error, 1e-4);
  const Opened qwen =
      open("llama_groups", [](Json& config) { config["architectures"] = {"Qwen2ForCausalLM"}; });
  EXPECT_FALSE(qwen.hyper.qkv_bias);
  EXPECT_TRUE(qwen.tells("biases on q, k and v"));
  EXPECT_LE(qwen.error, 1e-4);
}

TEST(SettledConfig, RefusesABiasThatOnlySomeLayersHave) {
  EditedModel edited(kGoldenModels / "qwen2");
  edited.tensors.erase("model.layers.0.self_attn.k_proj.bias");
  EXPECT_NE(refusal(edited).find("model.layers.0.self_attn.k_proj.bias"), std::string::npos);
}

TEST(SettledConfig, NotesLayersAndTensorsThatAreNotUsed) {
  const Opened opened = [] {
    EditedModel edited(kGoldenModels / "llama_groups");
    for (const std::string name : {"input_layernorm.weight", "mlp.up_proj.weight"})
      edited.tensors["model.layers.2." + name] = edited.tensors.at("model.layers.1." + name);
    edited.tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] =
        edited.tensors.at("model.norm.weight");
    edited.tensors["vision.proj.weight"] = edited.tensors.at("lm_head.weight");
    return open(edited, "llama_groups");
  }();
  EXPECT_TRUE(opened.tells("num_hidden_layers 2: \"model.layers.2\""));
  EXPECT_TRUE(opened.tells("1 tensors are not part of a model of this kind: vision.proj.weight"));
  EXPECT_EQ(opened.notes.size(), 2u);
  EXPECT_LE(opened.error, 1e-4);
}

TEST(SettledConfig, RefusesAnAdapterThatWasNotMerged) {
  EditedModel edited(kGoldenModels / "llama_groups");
  const std::string part = "model.layers.1.mlp.up_proj.lora_A.weight";
  edited.tensors[part] = edited.tensors.at("model.norm.weight");
  EXPECT_NE(refusal(edited).find(part), std::string::npos) << refusal(edited);
}

}  // namespace
}  // namespace nibble
