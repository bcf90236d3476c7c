// The tokenizer of a tokenizer.json: added tokens, normalizer, pre-tokenizer, model,
// post-processor, decoder, in this order.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nibble/tokenizer.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/decoders/decoder.h"
#include "tokenizer/pretokenizers/pretokenizer.h"
#include "tokenizer/special_names.h"
#include "tokenizer/token_model.h"
#include "tokenizer/word_cache.h"

namespace nibble::tokenizer {

class Pipeline : public Tokenizer {
 public:
  Pipeline(TokenizerFile&& file, const SpecialNames& names);

  std::vector<std::int32_t> encode(std::string_view text,
                                   const EncodeOptions& options) const override;
  std::string decode(std::span<const std::int32_t> ids, bool skip_special) const override;
  std::unique_ptr<StreamDecoder> stream(bool skip_special) const override;

  int vocabulary_size() const override;
  std::optional<std::int32_t> bos() const override { return bos_; }
  std::optional<std::int32_t> eos() const override { return eos_; }
  std::optional<std::int32_t> token_id(std::string_view token) const override;
  std::string token_text(std::int32_t id) const override;
  bool is_special(std::int32_t id) const override;

 private:
  friend class PipelineStream;
  // What decoding shows for an id; empty optional when it is unused or left out.
  std::optional<std::string_view> spelling(std::int32_t id, bool skip_special) const;
  void encode_section(std::string_view text, bool at_start, WordCache& words, Ids& ids) const;
  void apply_names(const SpecialNames& names);

  std::unique_ptr<Normalizer> normalizer_;
  std::unique_ptr<Pretokenizer> pretokenizer_;
  std::unique_ptr<TokenModel> model_;
  std::unique_ptr<AddedTokens> added_;
  std::unique_ptr<Postprocessor> postprocessor_;
  std::unique_ptr<Decoder> decoder_;
  std::optional<std::int32_t> bos_, eos_;
};

}  // namespace nibble::tokenizer
