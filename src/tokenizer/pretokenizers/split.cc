// Split: cut at the matches of any pattern.
#include "tokenizer/pattern.h"
#include "tokenizer/pretokenizers/pretokenizer.h"

namespace nibble::tokenizer::pretokenizers {
namespace {

class Split : public Pretokenizer {
 public:
  explicit Split(const Json& settings)
      : pattern_(Pattern::read(settings)),
        behavior_(read_behavior(settings, "")),
        invert_(json_bool(settings, "invert", false)) {}

  void apply(Pieces& pieces) const override {
    cut_each(pieces, behavior_, invert_, [&](std::string_view piece, Cutter& cutter) {
      pattern_.each_match(piece, [&](auto from, auto to) { cutter.match(from, to); });
    });
  }

 private:
  Pattern pattern_;
  Behavior behavior_;
  bool invert_;
};

}  // namespace

extern const Kind<Pretokenizer> split{
    "Split",
    [](const Json& settings) -> std::unique_ptr<Pretokenizer> {
      return std::make_unique<Split>(settings);
    },
};

}  // namespace nibble::tokenizer::pretokenizers
