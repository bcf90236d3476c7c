// The golden files of this folder: tiny tokenizers, texts, and the reference's answers.
#pragma once

#include <cstdint>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/json.h"
#include "support/paths.h"

namespace nibble::test {

struct GoldenTokenizer {
  std::string file, name;      // "byte_level", "llama3"
  std::string tokenizer_json;  // with the variant's overrides
  std::vector<std::string> texts;
  Json results;  // for each text: ids with special tokens, ids without, decoded without, decoded
                 // with
};

inline Json read_golden(const std::string& file) {
  std::ifstream stream(std::string(kSourceFolder) + "/tests/golden/tokenizer/" + file + ".json");
  return Json::parse(stream);
}

inline std::string overridden(Json base, const Json& override) {
  for (const auto& [key, value] : override.items()) {
    if (key == "model")
      for (const auto& [name, setting] : value.items()) base["model"][name] = setting;
    else
      base[key] = value;
  }
  return base.dump();
}

inline std::vector<GoldenTokenizer> golden_tokenizers() {
  std::vector<GoldenTokenizer> all;
  for (const char* file :
       {"byte_level", "sentencepiece", "added_tokens", "components", "affixes"}) {
    const Json golden = read_golden(file);
    for (const Json& variant : golden["variants"])
      all.push_back({.file = file,
                     .name = variant["name"],
                     .tokenizer_json = overridden(golden["tokenizer"], variant["override"]),
                     .texts = golden["texts"],
                     .results = variant["results"]});
  }
  return all;
}

// One variant as the text of a tokenizer.json.
inline std::string golden_tokenizer_json(const std::string& file, const std::string& name) {
  const Json golden = read_golden(file);
  for (const Json& variant : golden["variants"])
    if (variant["name"] == name) return overridden(golden["tokenizer"], variant["override"]);
  return {};
}

}  // namespace nibble::test
