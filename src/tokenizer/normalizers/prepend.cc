// Prepend: a string in front of every text that is not empty ("▁" in the older Llama files).
#include "tokenizer/normalizers/normalizer.h"

namespace nibble::tokenizer::normalizers {
namespace {

class Prepend : public Normalizer {
 public:
  explicit Prepend(const Json& settings) : prefix_(required_string(settings, "prepend")) {}
  std::string apply(std::string text, std::size_t limit) const override {
    if (text.empty()) return text;
    check_growth(text.size() + prefix_.size(), limit);
    return prefix_ + text;
  }

 private:
  std::string prefix_;
};

}  // namespace

extern const Kind<Normalizer> prepend{
    "Prepend",
    [](const Json& settings) -> std::unique_ptr<Normalizer> {
      return std::make_unique<Prepend>(settings);
    },
};

}  // namespace nibble::tokenizer::normalizers
