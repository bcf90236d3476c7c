// Metaspace: "▁" becomes a blank; in the first token it goes, unless none was put in front.
#include "tokenizer/metaspace.h"

#include "tokenizer/decoders/decoder.h"
#include "tokenizer/unicode.h"

namespace nibble::tokenizer::decoders {
namespace {

class MetaspaceSink : public WholeTokenSink {
 public:
  MetaspaceSink(const MetaspaceSettings& settings, std::unique_ptr<TokenSink> next)
      : settings_(settings),
        next_(std::move(next)),
        first_(settings.prepend != PrependScheme::kNever) {}

  void token(std::string_view text) override {
    std::string plain;
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t begin = i;
      if (next_character(text, i) != settings_.replacement)
        plain += text.substr(begin, i - begin);
      else if (!first_)
        plain += ' ';
    }
    first_ = false;
    next_->put(plain, true);
  }
  void finish() override { next_->finish(); }

 private:
  MetaspaceSettings settings_;
  std::unique_ptr<TokenSink> next_;
  bool first_;
};

class Metaspace : public Decoder {
 public:
  explicit Metaspace(const Json& settings) : settings_(read_metaspace(settings)) {}
  std::unique_ptr<TokenSink> open(std::unique_ptr<TokenSink> next) const override {
    return std::make_unique<MetaspaceSink>(settings_, std::move(next));
  }

 private:
  MetaspaceSettings settings_;
};

}  // namespace

extern const Kind<Decoder> metaspace{
    "Metaspace",
    [](const Json& settings) -> std::unique_ptr<Decoder> {
      return std::make_unique<Metaspace>(settings);
    },
};

}  // namespace nibble::tokenizer::decoders
