// Sequence: one after the other, each cuts what the one before left.
#include "tokenizer/pretokenizers/pretokenizer.h"

namespace nibble::tokenizer::pretokenizers {
namespace {

class Sequence : public Pretokenizer {
 public:
  explicit Sequence(const Json& settings)
      : parts_(read_sequence(settings, "pretokenizers", read)) {}
  void apply(Pieces& pieces) const override {
    const std::size_t limit = growth_limit(pieces.text.size());
    for (const auto& part : parts_) {
      part->apply(pieces);
      check_growth(pieces.text.size(), limit);
    }
  }

 private:
  std::vector<std::unique_ptr<Pretokenizer>> parts_;
};

}  // namespace

extern const Kind<Pretokenizer> sequence{
    "Sequence",
    [](const Json& settings) -> std::unique_ptr<Pretokenizer> {
      return std::make_unique<Sequence>(settings);
    },
};

}  // namespace nibble::tokenizer::pretokenizers
