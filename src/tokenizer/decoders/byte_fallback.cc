// ByteFallback: a run of tokens "<0x41>" becomes the text of these bytes, or, when they are not
// UTF-8, one U+FFFD for each. Only the end of a run tells which, so a run is held back until then.
#include "tokenizer/byte_fallback.h"

#include "base/text.h"
#include "tokenizer/decoders/decoder.h"
#include "tokenizer/unicode.h"

namespace nibble::tokenizer::decoders {
namespace {

class ByteFallbackSink : public WholeTokenSink {
 public:
  explicit ByteFallbackSink(std::unique_ptr<TokenSink> next) : next_(std::move(next)) {}
  void token(std::string_view text) override {
    if (const auto byte = fallback_byte(text)) {
      run_.push_back(static_cast<char>(*byte));
      return;
    }
    end_run();
    next_->put(text, true);
  }
  void finish() override {
    end_run();
    next_->finish();
  }

 private:
  void end_run() {
    if (run_.empty()) return;
    if (is_valid_utf8(run_))
      next_->put(run_, true);
    else
      for (std::size_t i = 0; i < run_.size(); ++i) next_->put(kReplacementCharacter, true);
    run_.clear();
  }

  std::unique_ptr<TokenSink> next_;
  std::string run_;
};

class ByteFallback : public Decoder {
 public:
  std::unique_ptr<TokenSink> open(std::unique_ptr<TokenSink> next) const override {
    return std::make_unique<ByteFallbackSink>(std::move(next));
  }
};

}  // namespace

extern const Kind<Decoder> byte_fallback{
    "ByteFallback",
    [](const Json&) -> std::unique_ptr<Decoder> { return std::make_unique<ByteFallback>(); },
};

}  // namespace nibble::tokenizer::decoders
