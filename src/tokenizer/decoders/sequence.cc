// Sequence: one after the other.
#include <ranges>

#include "tokenizer/decoders/decoder.h"

namespace nibble::tokenizer::decoders {
namespace {

class Sequence : public Decoder {
 public:
  explicit Sequence(const Json& settings) : parts_(read_sequence(settings, "decoders", read)) {}
  std::unique_ptr<TokenSink> open(std::unique_ptr<TokenSink> next) const override {
    for (const auto& part : std::views::reverse(parts_)) next = part->open(std::move(next));
    return next;
  }

 private:
  std::vector<std::unique_ptr<Decoder>> parts_;
};

}  // namespace

extern const Kind<Decoder> sequence{
    "Sequence",
    [](const Json& settings) -> std::unique_ptr<Decoder> {
      return std::make_unique<Sequence>(settings);
    },
};

}  // namespace nibble::tokenizer::decoders
