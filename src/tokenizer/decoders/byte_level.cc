// ByteLevel: characters of the byte alphabet become bytes, the bytes of all tokens become one text.
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/decoders/decoder.h"
#include "tokenizer/unicode.h"

namespace nibble::tokenizer::decoders {
namespace {

class ByteLevelSink : public WholeTokenSink {
 public:
  explicit ByteLevelSink(std::unique_ptr<TokenSink> next) : next_(std::move(next)) {}
  void token(std::string_view text) override {
    // A token that is not written in the alphabet (an added one) stands for itself.
    const auto bytes = spelled_bytes(text);
    bytes_ += bytes ? std::string_view(*bytes) : text;
    const std::size_t complete = bytes_.size() - unfinished_bytes(bytes_);
    next_->put(lossy_utf8(std::string_view(bytes_).substr(0, complete)), false);
    bytes_.erase(0, complete);
  }
  void finish() override {
    next_->put(lossy_utf8(bytes_), true);
    next_->finish();
  }

 private:
  std::unique_ptr<TokenSink> next_;
  std::string bytes_;  // the start of a character
};

class ByteLevel : public Decoder {
 public:
  std::unique_ptr<TokenSink> open(std::unique_ptr<TokenSink> next) const override {
    return std::make_unique<ByteLevelSink>(std::move(next));
  }
};

}  // namespace

extern const Kind<Decoder> byte_level{
    "ByteLevel",
    [](const Json&) -> std::unique_ptr<Decoder> { return std::make_unique<ByteLevel>(); },
};

}  // namespace nibble::tokenizer::decoders
