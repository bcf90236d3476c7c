// Replace: every match of a pattern becomes a fixed string.
#include "tokenizer/normalizers/normalizer.h"
#include "tokenizer/pattern.h"

namespace nibble::tokenizer::normalizers {
namespace {

class Replace : public Normalizer {
 public:
  explicit Replace(const Json& settings)
      : pattern_(Pattern::read(settings)), content_(required_string(settings, "content")) {}
  std::string apply(std::string text, std::size_t limit) const override {
    std::string replaced;
    std::size_t seen = 0;
    pattern_.each_match(text, [&](std::size_t begin, std::size_t end) {
      replaced.append(text, seen, begin - seen).append(content_);
      seen = end;
      check_growth(replaced.size(), limit);
    });
    if (seen == 0 && replaced.empty()) return text;
    return replaced.append(text, seen);
  }

 private:
  Pattern pattern_;
  std::string content_;
};

}  // namespace

extern const Kind<Normalizer> replace{
    "Replace",
    [](const Json& settings) -> std::unique_ptr<Normalizer> {
      return std::make_unique<Replace>(settings);
    },
};

}  // namespace nibble::tokenizer::normalizers
