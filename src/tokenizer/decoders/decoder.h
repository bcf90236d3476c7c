// Turns the spelling of tokens back into text. Decoders are streams: whole texts and single tokens
// go through the same code, so what comes out piece by piece is what comes out at once.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tokenizer/component.h"

namespace nibble::tokenizer {

// Receives tokens as one or more parts of well-formed UTF-8; the last part of each ends it.
class TokenSink {
 public:
  virtual ~TokenSink() = default;
  virtual void put(std::string_view part, bool ends_token) = 0;
  virtual void finish() = 0;  // no more tokens
};

// For decoders that look at a token as a whole.
class WholeTokenSink : public TokenSink {
 public:
  void put(std::string_view part, bool ends_token) final {
    if (ends_token && held_.empty()) return token(part);
    held_ += part;
    if (!ends_token) return;
    token(held_);
    held_.clear();
  }
  virtual void token(std::string_view text) = 0;

 private:
  std::string held_;
};

class Decoder {
 public:
  virtual ~Decoder() = default;
  // A sink that decodes one text into `next`, and lives no longer than this decoder.
  virtual std::unique_ptr<TokenSink> open(std::unique_ptr<TokenSink> next) const = 0;
};

namespace decoders {
std::span<const Kind<Decoder>* const> all();
std::unique_ptr<Decoder> read(const Json& settings);
// What a file without decoder means: tokens with a blank between them.
std::unique_ptr<TokenSink> join_with_blanks(std::unique_ptr<TokenSink> next);
}  // namespace decoders

}  // namespace nibble::tokenizer
