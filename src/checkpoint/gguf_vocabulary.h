// What a GGUF file says about its tokenizer, as plain lists; nothing here knows how to encode.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nibble {

class GgufMetadata;
class GgufPairs;

// A whole tokenizer.json as a text, where a writer found that the lists do not say it all.
inline constexpr const char* kGgufTokenizerJson = "tokenizer.huggingface.json";

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

// The same keys, for a file being written. What is empty is left out.
void put_gguf_vocabulary(const GgufVocabulary& vocabulary, GgufPairs& pairs);

}  // namespace nibble
