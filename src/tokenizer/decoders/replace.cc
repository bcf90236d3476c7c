// Replace: in every token, each match of a pattern becomes a fixed string.
#include <algorithm>

#include "tokenizer/decoders/decoder.h"
#include "tokenizer/pattern.h"

namespace nibble::tokenizer::decoders {
namespace {

constexpr std::size_t kMaxTokenBytes = 1 << 20;  // of a token that a replacement made longer

class Replace : public Decoder {
 public:
  explicit Replace(const Json& settings)
      : pattern_(Pattern::read(settings)), content_(required_string(settings, "content")) {}
  std::unique_ptr<TokenSink> open(std::unique_ptr<TokenSink> next) const override;

  std::string apply(std::string_view token) const {
    std::string replaced;
    std::size_t seen = 0;
    pattern_.each_match(token, [&](std::size_t begin, std::size_t end) {
      replaced.append(token.substr(seen, begin - seen)).append(content_);
      seen = end;
      check_growth(replaced.size(), std::max(token.size(), kMaxTokenBytes));
    });
    return replaced.append(token.substr(seen));
  }

 private:
  Pattern pattern_;
  std::string content_;
};

class ReplaceSink : public WholeTokenSink {
 public:
  ReplaceSink(const Replace& replace, std::unique_ptr<TokenSink> next)
      : replace_(replace), next_(std::move(next)) {}
  void token(std::string_view text) override { next_->put(replace_.apply(text), true); }
  void finish() override { next_->finish(); }

 private:
  const Replace& replace_;
  std::unique_ptr<TokenSink> next_;
};

std::unique_ptr<TokenSink> Replace::open(std::unique_ptr<TokenSink> next) const {
  return std::make_unique<ReplaceSink>(*this, std::move(next));
}

}  // namespace

extern const Kind<Decoder> replace{
    "Replace",
    [](const Json& settings) -> std::unique_ptr<Decoder> {
      return std::make_unique<Replace>(settings);
    },
};

}  // namespace nibble::tokenizer::decoders
