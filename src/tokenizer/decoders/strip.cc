// Strip: up to `start` copies of a character go from the front of every token, up to `stop` from
// its end. Works on parts, so that a text fused into one token still streams.
#include "tokenizer/decoders/decoder.h"
#include "tokenizer/unicode.h"

namespace nibble::tokenizer::decoders {
namespace {

struct StripSettings {
  char32_t content = ' ';
  std::int64_t start = 0, stop = 0;
};

class StripSink : public TokenSink {
 public:
  StripSink(const StripSettings& settings, std::unique_ptr<TokenSink> next)
      : settings_(settings), next_(std::move(next)) {}

  void put(std::string_view part, bool ends_token) override {
    std::string kept;
    for (std::size_t i = 0; i < part.size();) {
      const std::size_t begin = i;
      const bool is_content = next_character(part, i) == settings_.content;
      if (is_content && at_front_ && cut_ < settings_.start) {
        ++cut_;
        continue;
      }
      at_front_ = false;
      if (is_content && held_ < settings_.stop) {
        ++held_;
        continue;
      }
      // Held copies equal this one: letting the oldest go and holding the newest is the same.
      if (!is_content)
        for (; held_ > 0; --held_) append_utf8(kept, settings_.content);
      kept += part.substr(begin, i - begin);
    }
    if (ends_token) {
      cut_ = held_ = 0;
      at_front_ = true;
    }
    next_->put(kept, ends_token);
  }
  void finish() override { next_->finish(); }

 private:
  StripSettings settings_;
  std::unique_ptr<TokenSink> next_;
  std::int64_t cut_ = 0;   // copies that went from the front of this token
  std::int64_t held_ = 0;  // copies that may be its end
  bool at_front_ = true;
};

class Strip : public Decoder {
 public:
  explicit Strip(const Json& settings)
      : settings_{.content = required_character(settings, "content"),
                  .start = json_int(settings, "start", 0, 0, 1 << 20),
                  .stop = json_int(settings, "stop", 0, 0, 1 << 20)} {}
  std::unique_ptr<TokenSink> open(std::unique_ptr<TokenSink> next) const override {
    return std::make_unique<StripSink>(settings_, std::move(next));
  }

 private:
  StripSettings settings_;
};

}  // namespace

extern const Kind<Decoder> strip{
    "Strip",
    [](const Json& settings) -> std::unique_ptr<Decoder> {
      return std::make_unique<Strip>(settings);
    },
};

}  // namespace nibble::tokenizer::decoders
