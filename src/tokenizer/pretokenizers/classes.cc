// Digits, Punctuation, Whitespace and WhitespaceSplit: cut where the class of the characters
// changes.
#include "tokenizer/pretokenizers/pretokenizer.h"
#include "tokenizer/unicode.h"

namespace nibble::tokenizer::pretokenizers {
namespace {

class Digits : public Pretokenizer {
 public:
  explicit Digits(const Json& settings)
      : behavior_(json_bool(settings, "individual_digits", false) ? Behavior::kIsolated
                                                                  : Behavior::kContiguous) {}
  void apply(Pieces& pieces) const override { cut_at_characters(pieces, behavior_, is_numeric); }

 private:
  Behavior behavior_;
};

class Punctuation : public Pretokenizer {
 public:
  explicit Punctuation(const Json& settings) : behavior_(read_behavior(settings, "Isolated")) {}
  void apply(Pieces& pieces) const override {
    cut_at_characters(pieces, behavior_, is_punctuation);
  }

 private:
  Behavior behavior_;
};

// Words (\w+) and runs of signs ([^\w\s]+); blanks go.
class Whitespace : public Pretokenizer {
 public:
  explicit Whitespace(const Json&) {}
  void apply(Pieces& pieces) const override {
    cut_each(pieces, Behavior::kRemoved, true, [](std::string_view piece, Cutter& cutter) {
      enum Class { kBlank, kWord, kSign };
      Class run = kBlank;
      std::size_t begin = 0;
      for (std::size_t i = 0; i < piece.size();) {
        const std::size_t at = i;
        const char32_t c = next_character(piece, i);
        const Class found = is_word(c) ? kWord : is_space(c) ? kBlank : kSign;
        if (found == run) continue;
        if (run != kBlank) cutter.match(begin, at);
        run = found;
        begin = at;
      }
      if (run != kBlank) cutter.match(begin, piece.size());
    });
  }
};

class WhitespaceSplit : public Pretokenizer {
 public:
  explicit WhitespaceSplit(const Json&) {}
  void apply(Pieces& pieces) const override {
    cut_at_characters(pieces, Behavior::kRemoved, is_space);
  }
};

template <typename Component>
std::unique_ptr<Pretokenizer> make(const Json& settings) {
  return std::make_unique<Component>(settings);
}

}  // namespace

extern const Kind<Pretokenizer> digits{"Digits", make<Digits>};
extern const Kind<Pretokenizer> punctuation{"Punctuation", make<Punctuation>};
extern const Kind<Pretokenizer> whitespace{"Whitespace", make<Whitespace>};
extern const Kind<Pretokenizer> whitespace_split{"WhitespaceSplit", make<WhitespaceSplit>};

}  // namespace nibble::tokenizer::pretokenizers
