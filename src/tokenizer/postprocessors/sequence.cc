// Sequence: one after the other.
#include "tokenizer/postprocessors/postprocessor.h"

namespace nibble::tokenizer::postprocessors {
namespace {

class Sequence : public Postprocessor {
 public:
  explicit Sequence(const Json& settings) : parts_(read_sequence(settings, "processors", read)) {}
  Ids apply(Ids ids, bool add_special) const override {
    const std::size_t limit = growth_limit(ids.size());
    for (const auto& part : parts_) {
      ids = part->apply(std::move(ids), add_special);
      check_growth(ids.size(), limit);
    }
    return ids;
  }

 private:
  std::vector<std::unique_ptr<Postprocessor>> parts_;
};

}  // namespace

extern const Kind<Postprocessor> sequence{
    "Sequence",
    [](const Json& settings) -> std::unique_ptr<Postprocessor> {
      return std::make_unique<Sequence>(settings);
    },
};

}  // namespace nibble::tokenizer::postprocessors
