// Metaspace: blanks become "▁", one is put in front, and the text is cut before each.
#include "tokenizer/metaspace.h"

#include "tokenizer/pretokenizers/pretokenizer.h"
#include "tokenizer/unicode.h"

namespace nibble::tokenizer::pretokenizers {
namespace {

class Metaspace : public Pretokenizer {
 public:
  explicit Metaspace(const Json& settings)
      : settings_(read_metaspace(settings)), cut_(json_bool(settings, "split", true)) {
    append_utf8(sign_, settings_.replacement);
  }

  void apply(Pieces& pieces) const override {
    const bool at_start = pieces.at_start;
    rewrite_each(pieces, [&](std::string_view piece, bool first, std::string& text) {
      const bool wanted = settings_.prepend == PrependScheme::kAlways ||
                          (settings_.prepend == PrependScheme::kFirst && first && at_start);
      if (wanted && !piece.starts_with(' ') && !piece.starts_with(sign_)) text += sign_;
      for (const char byte : piece)
        if (byte == ' ')
          text += sign_;
        else
          text += byte;
    });
    if (!cut_) return;
    cut_each(pieces, Behavior::kMergedWithNext, false, [&](std::string_view piece, Cutter& cutter) {
      for (std::size_t at = piece.find(sign_); at != std::string_view::npos;
           at = piece.find(sign_, at + sign_.size()))
        cutter.match(at, at + sign_.size());
    });
  }

 private:
  MetaspaceSettings settings_;
  bool cut_;
  std::string sign_;
};

}  // namespace

extern const Kind<Pretokenizer> metaspace{
    "Metaspace",
    [](const Json& settings) -> std::unique_ptr<Pretokenizer> {
      return std::make_unique<Metaspace>(settings);
    },
};

}  // namespace nibble::tokenizer::pretokenizers
