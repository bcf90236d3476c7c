// ByteLevel: cut with the pattern of GPT-2 (unless told not to), then spell bytes as characters.
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/pattern.h"
#include "tokenizer/pretokenizers/pretokenizer.h"
#include "tokenizer/scanner.h"

namespace nibble::tokenizer::pretokenizers {
namespace {

class ByteLevel : public Pretokenizer {
 public:
  explicit ByteLevel(const Json& settings)
      : add_space_(json_bool(settings, "add_prefix_space", true)),
        cut_(json_bool(settings, "use_regex", true)),
        pattern_(Pattern::regex(kGpt2Pattern)) {}

  void apply(Pieces& pieces) const override {
    if (add_space_) {
      rewrite_each(pieces, [](std::string_view piece, bool, std::string& text) {
        if (!piece.starts_with(' ')) text += ' ';
        text += piece;
      });
    }
    if (cut_) {
      cut_each(pieces, Behavior::kIsolated, false, [&](std::string_view piece, Cutter& cutter) {
        pattern_.each_match(piece, [&](auto from, auto to) { cutter.match(from, to); });
      });
    }
    rewrite_each(pieces, [](std::string_view piece, bool, std::string& text) {
      append_byte_characters(text, piece);
    });
  }

 private:
  bool add_space_, cut_;
  Pattern pattern_;
};

}  // namespace

extern const Kind<Pretokenizer> byte_level{
    "ByteLevel",
    [](const Json& settings) -> std::unique_ptr<Pretokenizer> {
      return std::make_unique<ByteLevel>(settings);
    },
};

}  // namespace nibble::tokenizer::pretokenizers
