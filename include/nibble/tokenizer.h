// Text to token ids and back, as a model's tokenizer.json says.
//
// Text is UTF-8. Bytes that are not well-formed UTF-8 are read as U+FFFD, one for each longest
// prefix of a character (the practice of the Unicode standard, chapter 3), before anything else
// happens. A Tokenizer is immutable: any number of threads may use one at the same time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nibble {

struct EncodeOptions {
  bool add_special = true;    // the tokens of the post-processor, for example <s> in front
  bool parse_special = true;  // "<s>" inside the text is the token; false: ordinary characters
};

// Decodes token after token. The pieces, put together, are exactly what Tokenizer::decode returns;
// each piece is well-formed UTF-8 (a character split over tokens comes with its last one).
class StreamDecoder {
 public:
  virtual ~StreamDecoder() = default;
  // The text that is certain after this token; may be empty.
  virtual std::string add(std::int32_t id) = 0;
  // What was held back. The decoder may not be used afterwards.
  virtual std::string finish() = 0;
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // A tokenizer.json, or the folder that holds it. Names of the BOS and EOS token come from
  // tokenizer_config.json beside it (or special_tokens_map.json), which may be absent.
  // Throws kNotFound, kCorruptFile, or kUnsupported naming the component.
  static std::unique_ptr<Tokenizer> open(const std::filesystem::path& folder_or_file);
  // The same from memory; `config` is the text of tokenizer_config.json, or empty.
  static std::unique_ptr<Tokenizer> parse(std::string_view tokenizer_json,
                                          std::string_view config = {});

  // Throws kUnsupported when a pattern of the file needs too much work on this text.
  virtual std::vector<std::int32_t> encode(std::string_view text,
                                           const EncodeOptions& options = {}) const = 0;
  // Ids that name no token are left out (models often have more rows than there are tokens).
  virtual std::string decode(std::span<const std::int32_t> ids, bool skip_special = true) const = 0;
  // The tokenizer must outlive the decoder.
  virtual std::unique_ptr<StreamDecoder> stream(bool skip_special = true) const = 0;

  // One more than the highest id.
  virtual int vocabulary_size() const = 0;
  virtual std::optional<std::int32_t> bos() const = 0;
  virtual std::optional<std::int32_t> eos() const = 0;
  virtual std::optional<std::int32_t> token_id(std::string_view token) const = 0;
  // The token as the vocabulary spells it ("Ġthe", "▁the", "<0x0A>"); empty for an unused id.
  virtual std::string token_text(std::int32_t id) const = 0;
  virtual bool is_special(std::int32_t id) const = 0;
};

}  // namespace nibble
