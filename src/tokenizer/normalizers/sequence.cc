// Sequence: one after the other.
#include "tokenizer/normalizers/normalizer.h"

namespace nibble::tokenizer::normalizers {
namespace {

class Sequence : public Normalizer {
 public:
  explicit Sequence(const Json& settings) : parts_(read_sequence(settings, "normalizers", read)) {}
  std::string apply(std::string text, std::size_t limit) const override {
    for (const auto& part : parts_) {
      text = part->apply(std::move(text), limit);
      check_growth(text.size(), limit);
    }
    return text;
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> parts_;
};

}  // namespace

extern const Kind<Normalizer> sequence{
    "Sequence",
    [](const Json& settings) -> std::unique_ptr<Normalizer> {
      return std::make_unique<Sequence>(settings);
    },
};

}  // namespace nibble::tokenizer::normalizers
