// What a GGUF file says about its tokenizer, as plain lists; nothing here knows how to encode.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nibble {

class GgufMetadata;

struct GgufVocabulary {
  std::string model;          // "gpt2" byte-level pairs, or pieces with scores; the file's word
  std::string pre;            // how text is cut before merging: "qwen2"; may be empty
  std::string chat_template;  // may be empty
  std::vector<std::string> tokens;        // index = id
  std::vector<std::string> merges;        // "left right"; may be empty
  std::vector<float> scores;              // one for each token, or empty
  std::vector<std::int32_t> token_types;  // one for each token, or empty; 1 normal … 6 byte
  std::optional<std::int32_t> bos, eos, unk, eot;
  std::optional<std::int32_t> pad;  // files without one may write an id that names no token
  std::optional<bool> add_bos, add_eos, add_space_prefix;
};

// Throws kNotFound when the file has no tokenizer, kCorruptFile when lists disagree in length, an
// id names no token or a value has the wrong type.
GgufVocabulary read_gguf_vocabulary(const GgufMetadata& metadata);

}  // namespace nibble
