// Encoding and decoding, from the parts.
#include "tokenizer/pipeline.h"

#include <algorithm>
#include <utility>

#include "base/progress.h"
#include "base/text.h"
#include "tokenizer/unicode.h"

namespace nibble::tokenizer {
namespace {

constexpr std::size_t kMaxTextBytes = std::size_t{1} << 30;  // offsets in pieces are 32 bits

// A part that may be null or missing.
template <typename Read>
auto optional_part(const Json& tree, const char* key, Read read) -> decltype(read(tree)) {
  const auto found = tree.find(key);
  if (found == tree.end() || found->is_null()) return nullptr;
  check_size(*found);
  return read(*found);
}

// The end of the chain: collects the text.
class Collector : public TokenSink {
 public:
  explicit Collector(std::string& text) : text_(text) {}
  void put(std::string_view part, bool) override { text_ += part; }
  void finish() override {}

 private:
  std::string& text_;
};

}  // namespace

class PipelineStream : public StreamDecoder {
 public:
  PipelineStream(const Pipeline& pipeline, bool skip_special)
      : pipeline_(pipeline), skip_special_(skip_special) {
    auto end = std::make_unique<Collector>(text_);
    chain_ = pipeline.decoder_ ? pipeline.decoder_->open(std::move(end))
                               : decoders::join_with_blanks(std::move(end));
  }
  void put(std::int32_t id) {
    if (const auto token = pipeline_.spelling(id, skip_special_)) chain_->put(*token, true);
  }
  std::string add(std::int32_t id) override {
    put(id);
    return std::exchange(text_, {});
  }
  std::string finish() override {
    chain_->finish();
    return std::exchange(text_, {});
  }

 private:
  const Pipeline& pipeline_;
  bool skip_special_;
  std::string text_;
  std::unique_ptr<TokenSink> chain_;
};

Pipeline::Pipeline(TokenizerFile&& file, const SpecialNames& names) {
  const Json& tree = file.tree;
  normalizer_ = optional_part(tree, "normalizer", normalizers::read);
  pretokenizer_ = optional_part(tree, "pre_tokenizer", pretokenizers::read);
  postprocessor_ = optional_part(tree, "post_processor", postprocessors::read);
  decoder_ = optional_part(tree, "decoder", decoders::read);
  const auto added = tree.find("added_tokens");
  const Json added_list = added == tree.end() ? Json() : *added;
  model_ = read_token_model(std::move(file));
  added_ = std::make_unique<AddedTokens>(added_list, model_->vocabulary(), normalizer_.get());
  apply_names(names);
}

void Pipeline::apply_names(const SpecialNames& names) {
  const std::string bos_name = names.token("bos_token"), eos_name = names.token("eos_token");
  if (!bos_name.empty()) bos_ = token_id(bos_name);
  if (!eos_name.empty()) eos_ = token_id(eos_name);
  if (!names.rebuild) return;
  const auto bos = bos_ || !bos_name.empty() ? bos_ : token_id("<s>");
  const auto eos = eos_ || !eos_name.empty() ? eos_ : token_id("</s>");
  if ((names.add_bos && !bos) || (names.add_eos && !eos)) return;  // nothing to build from
  Ids before, after;
  if (names.add_bos) before.push_back(*bos);
  if (names.add_eos) after.push_back(*eos);
  postprocessor_ = surround(std::move(before), std::move(after));
}

std::vector<std::int32_t> Pipeline::encode(std::string_view text,
                                           const EncodeOptions& options) const {
  if (text.size() > kMaxTextBytes)
    throw Error(ErrorKind::kUnsupported,
                cat("a text of ", human_bytes(text.size()), "; the limit for one is ",
                    human_bytes(kMaxTextBytes)),
                "cut it into several");
  std::string repaired;
  if (!is_valid_utf8(text)) text = repaired = lossy_utf8(text);

  Ids ids;
  WordCache words;
  using Stage = AddedTokens::Stage;
  for (const Section& outer : added_->cut(text, Stage::kRaw, options.parse_special)) {
    throw_if_stopped();
    if (outer.token != nullptr) {
      ids.push_back(outer.token->id);
      continue;
    }
    std::string_view part = text.substr(outer.begin, outer.end - outer.begin);
    std::string normal;
    if (normalizer_ != nullptr)
      part = normal = normalizer_->apply(std::string(part), growth_limit(part.size()));
    for (const Section& inner : added_->cut(part, Stage::kNormalized, options.parse_special)) {
      if (inner.token != nullptr)
        ids.push_back(inner.token->id);
      else
        encode_section(part.substr(inner.begin, inner.end - inner.begin),
                       outer.begin == 0 && inner.begin == 0, words, ids);
    }
  }
  return postprocessor_ ? postprocessor_->apply(std::move(ids), options.add_special) : ids;
}

void Pipeline::encode_section(std::string_view text, bool at_start, WordCache& words,
                              Ids& ids) const {
  check_growth(text.size(), kMaxTextBytes);
  Pieces pieces{std::string(text), {{0, static_cast<std::uint32_t>(text.size())}}, at_start};
  if (pretokenizer_ != nullptr) pretokenizer_->apply(pieces);
  check_growth(pieces.text.size(), UINT32_MAX);
  for (std::size_t i = 0; i < pieces.ranges.size(); ++i) model_->encode(pieces[i], words, ids);
}

std::optional<std::string_view> Pipeline::spelling(std::int32_t id, bool skip_special) const {
  std::optional<std::string_view> text;
  if (const AddedToken* token = added_->find(id))
    text = token->spelling;
  else
    text = model_->vocabulary().text(id);
  if (text && skip_special && added_->is_special(*text)) return std::nullopt;
  return text;
}

std::string Pipeline::decode(std::span<const std::int32_t> ids, bool skip_special) const {
  PipelineStream decoder(*this, skip_special);
  for (const std::int32_t id : ids) decoder.put(id);
  return decoder.finish();
}

std::unique_ptr<StreamDecoder> Pipeline::stream(bool skip_special) const {
  return std::make_unique<PipelineStream>(*this, skip_special);
}

int Pipeline::vocabulary_size() const {
  return std::max(model_->vocabulary().highest_id(), added_->highest_id()) + 1;
}

std::optional<std::int32_t> Pipeline::token_id(std::string_view token) const {
  if (const AddedToken* found = added_->find(token)) return found->id;
  return model_->vocabulary().find(token);
}

std::string Pipeline::token_text(std::int32_t id) const {
  if (const AddedToken* token = added_->find(id)) return token->content;
  return std::string(model_->vocabulary().text(id).value_or(""));
}

bool Pipeline::is_special(std::int32_t id) const {
  const AddedToken* token = added_->find(id);
  return token != nullptr && token->special;
}

}  // namespace nibble::tokenizer
