// Texts in which tokenizers are known to differ, each short enough to be shown.
#include "model/gguf/same_tokens.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/progress.h"
#include "base/text.h"
#include "model/gguf/no_counterpart.h"
#include "model/gguf/token_type.h"
#include "model/gguf/tokenizer.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/unicode.h"

namespace nibble {
namespace {

using Ids = std::vector<std::int32_t>;

constexpr std::string_view kTexts[] = {
    "",
    " ",
    "a",
    "The quick brown fox",
    " a blank in front",
    "  two blanks in front",
    "a blank behind ",
    "two  spaces   three    four     five",
    "                indented by sixteen",
    "tab\tand\t\ttabs \t mixed",
    "\t",
    "\n",
    "\n\n\n",
    " \n  \n\n x",
    "lines\nand\r\nlines\n\n  indented\n",
    "signs!\n\nnew lines...\n",
    "it's we'll they're I'm you've he'd can't",
    "IT'S WE'LL THEY'RE I'M YOU'VE HE'D CAN'T",
    "'tis ''s 'Quoted' rock'n'roll",
    "1",
    "12",
    "123",
    "1234",
    "12345",
    "1234567890",
    " 7 77 777 7777 77777",
    "a1b22c333d4444",
    "3.14159, 1,000,000; 0xFF, 2026-01-31",
    "½ ² Ⅷ ٤٥٦٧ ४५६७ １２３４",
    "camelCase CamelCase HTTPServer iPhone15",
    "snake_case SCREAMING_CASE kebab-case",
    "Größe naïve façade Ångström Łódź",
    "Ελληνικά ΣΟΦΟΣ σοφός",
    "Русский язык ПРИВЕТ",
    "שָׁלוֹם עולם",
    "مرحبا بالعالم",
    "नमस्ते दुनिया",
    "สวัสดีชาวโลก",
    "你好，世界！今天天气很好吗？",
    "こんにちは世界 カタカナ",
    "안녕하세요 세계",
    "e\u0301 A\u030A o\u0308 q\u0307\u0323",  // composed by NFC, or not
    "ǅ ǈ ª º ʰ",                              // letters that are neither small nor capital
    "👍🏽 👩‍👩‍👧 🇩🇪 1️⃣ 😀😀",
    "...!?;--==//",
    "\"quoted\" (round) [square] {curly} <angle>",
    "$+<=>^~|`\\@#%&*",
    "«guillemets» “quotes” — dash …",
    " !  ?   .",
    "for (int i = 0; i < n; ++i) {\n",
    "\tsum += a[i];  // 0xFF\n\t\t}\n",
    "def f(x):\n    return x**2\n",
    "https://example.org/a-b?c=d&e=%20#f",
    "path/to/file.txt\n/",
    "nbsp\u00A0wide\u3000zero\u200Bline\u2028",
    "▁already▁there ▁ x",
    "<0x41><0x0A> <unk> <s> </s> <pad>",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
};

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kShown = 60;
  const std::string shown = tokenizer::lossy_utf8(text.substr(0, kShown));
  return Json(text.size() > kShown ? cat(shown, "…") : shown).dump();
}

// Some tokens from `first` on: ["12", "345"].
std::string listed(const Tokenizer& tokenizer, const Ids& ids, std::size_t first) {
  constexpr std::size_t kShown = 4;
  std::vector<std::string> texts;
  for (std::size_t i = first; i < std::min(ids.size(), first + kShown); ++i)
    texts.push_back(in_quotes(tokenizer.token_text(ids[i])));
  if (first + kShown < ids.size()) texts.emplace_back("…");
  return texts.empty() ? "nothing" : list_text(texts);
}

class Comparison {
 public:
  // `lists_given`: the tokenizer.json was made of the lists, not they of it.
  Comparison(const Tokenizer& wanted, const GgufVocabulary& vocabulary, bool lists_given)
      : wanted_(wanted),
        pre_(vocabulary.pre),
        written_(tokenizer_from_gguf(vocabulary)),
        lists_given_(lists_given) {}

  // `plain`: what decoding says is compared too.
  void check(std::string_view text, bool plain) const {
    for (const bool parse_special : {true, false}) {
      const EncodeOptions options{.parse_special = parse_special};
      const Ids ids = wanted_.encode(text, options), others = written_->encode(text, options);
      if (ids != others) refuse(text, ids, others);
      if (plain) return check_decoding(text, ids);
    }
  }

 private:
  [[noreturn]] static void no_tokenizer_json(const std::string& what) {
    throw Error(ErrorKind::kUnsupported, cat("a tokenizer.json cannot say ", what),
                "put the model's own tokenizer.json beside the GGUF file");
  }

  [[noreturn]] void refuse(std::string_view text, const Ids& ids, const Ids& others) const {
    const auto at = std::mismatch(ids.begin(), ids.end(), others.begin(), others.end());
    // With the token in front, so that neither list is empty where one goes on.
    const auto difference = static_cast<std::size_t>(at.first - ids.begin());
    const std::size_t first = difference - std::min<std::size_t>(difference, 1);
    if (lists_given_)
      no_tokenizer_json(cat("how to encode ", in_quotes(text), ": it would give ",
                            listed(wanted_, ids, first), " where the GGUF file gives ",
                            listed(*written_, others, first)));
    no_counterpart(cat("a GGUF file (tokenizer.ggml.pre ", pre_, ") cannot say how to encode ",
                       in_quotes(text), ": it would give ", listed(*written_, others, first),
                       " where tokenizer.json gives ", listed(wanted_, ids, first)));
  }

  void check_decoding(std::string_view text, const Ids& ids) const {
    const std::string wanted = wanted_.decode(ids), other = written_->decode(ids);
    if (wanted != other && lists_given_)
      no_tokenizer_json(cat("how to decode the tokens of ", in_quotes(text), ": it would give ",
                            in_quotes(wanted), " where the GGUF file gives ", in_quotes(other)));
    if (wanted != other)
      no_counterpart(cat("decoder: a GGUF file would decode the tokens of ", in_quotes(text),
                         " as ", in_quotes(other), ", where tokenizer.json gives ",
                         in_quotes(wanted)));
  }

  const Tokenizer& wanted_;
  const std::string& pre_;
  std::unique_ptr<Tokenizer> written_;
  bool lists_given_;
};

// A text that the piece may come from; empty when it is a part of a character.
std::string source_of(std::string_view piece, bool bytes) {
  if (bytes) {
    const auto spelled = tokenizer::spelled_bytes(piece);
    return spelled && is_valid_utf8(*spelled) ? *spelled : std::string();
  }
  std::string text(piece);
  constexpr std::string_view kBlank = "▁";
  for (std::size_t at = text.find(kBlank); at != text.npos; at = text.find(kBlank, at + 1))
    text.replace(at, kBlank.size(), " ");
  return text;
}

void compare(const Comparison& comparison, const GgufVocabulary& vocabulary) {
  for (const std::string_view text : kTexts) comparison.check(text, true);
  const bool bytes = vocabulary.scores.empty();
  for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    if (id % 4096 == 0) throw_if_stopped();
    const std::string& token = vocabulary.tokens[id];
    const std::int32_t type = vocabulary.token_types[id];
    if (type == gguf_token::kControl || type == gguf_token::kUserDefined ||
        type == gguf_token::kUnknown) {
      for (const std::string& text : {token, cat("a", token, "b"), cat(" ", token, " \n", token)})
        comparison.check(text, false);
    } else if (const std::string text = source_of(token, bytes); !text.empty()) {
      comparison.check(text, true);
      // Not at the start, where a blank may stand in front of it.
      if (!bytes) comparison.check(cat("\n", text), true);
    }
  }
}

}  // namespace

void check_same_tokens(const Tokenizer& tokenizer, const GgufVocabulary& vocabulary) {
  compare(Comparison(tokenizer, vocabulary, false), vocabulary);
}

void check_same_tokens_as_lists(const Tokenizer& json, const GgufVocabulary& vocabulary) {
  compare(Comparison(json, vocabulary, true), vocabulary);
}

std::size_t same_texts(const Tokenizer& tokenizer, const GgufVocabulary& vocabulary) {
  const auto written = tokenizer_from_gguf(vocabulary);
  const EncodeOptions options{.add_special = false};
  return static_cast<std::size_t>(
      std::count_if(std::begin(kTexts), std::end(kTexts), [&](std::string_view text) {
        return tokenizer.encode(text, options) == written->encode(text, options);
      }));
}

}  // namespace nibble
