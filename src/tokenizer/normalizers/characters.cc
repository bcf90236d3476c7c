// Lowercase, StripAccents (marks go), Strip (blanks at the ends go), ByteLevel (bytes as
// characters).
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/normalizers/normalizer.h"
#include "tokenizer/unicode.h"

namespace nibble::tokenizer::normalizers {
namespace {

class Lowercase : public Normalizer {
 public:
  explicit Lowercase(const Json&) {}
  std::string apply(std::string text, std::size_t) const override { return lower_case(text); }
};

class StripAccents : public Normalizer {
 public:
  explicit StripAccents(const Json&) {}
  std::string apply(std::string text, std::size_t) const override {
    std::string kept;
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t begin = i;
      if (!is_combining_mark(next_character(text, i))) kept.append(text, begin, i - begin);
    }
    return kept;
  }
};

class Strip : public Normalizer {
 public:
  explicit Strip(const Json& settings)
      : left_(json_bool(settings, "strip_left", true)),
        right_(json_bool(settings, "strip_right", true)) {}
  std::string apply(std::string text, std::size_t) const override {
    std::size_t begin = 0, end = text.size();
    for (std::size_t next = 0; left_ && begin < end; begin = next)
      if (!is_space(next_character(text, next))) break;
    for (std::size_t next = end; right_ && end > begin; end = next)
      if (!is_space(previous_character(text, next))) break;
    return text.substr(begin, end - begin);
  }

 private:
  bool left_, right_;
};

class ByteLevel : public Normalizer {
 public:
  explicit ByteLevel(const Json&) {}
  std::string apply(std::string text, std::size_t) const override {
    std::string spelled;
    append_byte_characters(spelled, text);
    return spelled;
  }
};

template <typename Component>
std::unique_ptr<Normalizer> make(const Json& settings) {
  return std::make_unique<Component>(settings);
}

}  // namespace

extern const Kind<Normalizer> lowercase{"Lowercase", make<Lowercase>};
extern const Kind<Normalizer> strip_accents{"StripAccents", make<StripAccents>};
extern const Kind<Normalizer> strip{"Strip", make<Strip>};
extern const Kind<Normalizer> byte_level{"ByteLevel", make<ByteLevel>};

}  // namespace nibble::tokenizer::normalizers
