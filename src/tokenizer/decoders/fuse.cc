// Fuse: all tokens become one. And the opposite, for files without decoder: a blank between any
// two.
#include "tokenizer/decoders/decoder.h"

namespace nibble::tokenizer::decoders {
namespace {

class FuseSink : public TokenSink {
 public:
  explicit FuseSink(std::unique_ptr<TokenSink> next) : next_(std::move(next)) {}
  void put(std::string_view part, bool) override { next_->put(part, false); }
  void finish() override {
    next_->put("", true);
    next_->finish();
  }

 private:
  std::unique_ptr<TokenSink> next_;
};

class Fuse : public Decoder {
 public:
  std::unique_ptr<TokenSink> open(std::unique_ptr<TokenSink> next) const override {
    return std::make_unique<FuseSink>(std::move(next));
  }
};

class JoinSink : public TokenSink {
 public:
  explicit JoinSink(std::unique_ptr<TokenSink> next) : next_(std::move(next)) {}
  void put(std::string_view part, bool ends_token) override {
    if (between_) next_->put(" ", false);
    next_->put(part, ends_token);
    between_ = ends_token;
  }
  void finish() override { next_->finish(); }

 private:
  std::unique_ptr<TokenSink> next_;
  bool between_ = false;
};

}  // namespace

extern const Kind<Decoder> fuse{
    "Fuse",
    [](const Json&) -> std::unique_ptr<Decoder> { return std::make_unique<Fuse>(); },
};

std::unique_ptr<TokenSink> join_with_blanks(std::unique_ptr<TokenSink> next) {
  return std::make_unique<JoinSink>(std::move(next));
}

}  // namespace nibble::tokenizer::decoders
