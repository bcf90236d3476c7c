// The expressions, and the names of tokenizer.def beside them.
#include "model/gguf/cut_rules.h"

namespace nibble {
namespace {

constexpr std::string_view kGpt2Expression =
    R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kOneDigitExpression =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kThreeDigitsExpression =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kCaseExpression =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr CutRules kWords{.expressions = {kGpt2Expression}};
constexpr CutRules kSingleDigits{.expressions = {R"(\p{N})", kGpt2Expression}};
constexpr CutRules kThreeDigits{
    .expressions = {kThreeDigitsExpression}, .whole_words_first = true, .begins_with_bos = true};
constexpr CutRules kThreeDigitsMerged{.expressions = {kThreeDigitsExpression}};
constexpr CutRules kOneDigit{.expressions = {kOneDigitExpression}, .composed = true};
constexpr CutRules kOneDigitPlain{.expressions = {kOneDigitExpression}};
constexpr CutRules kCaseAware{
    .expressions = {kCaseExpression}, .whole_words_first = true, .begins_with_bos = true};
constexpr CutRules kSignsFirst{
    .expressions = {R"([\p{P}\$\+<=>\^~\|`]+)", kGpt2Expression, "[0-9][0-9][0-9]"}};
constexpr CutRules kCascade{
    .expressions = {R"([\p{P}\$\+<=>\^~\|]+)", kGpt2Expression, R"(\p{N}+)", "[0-9][0-9][0-9]"}};

constexpr NamedKind kKinds[] = {
#define KIND(name, kind) {name, GgufTokenizerKind::kind},
#include "model/gguf/tokenizer.def"
};

constexpr NamedCuts kCuts[] = {
#define PRETOKENIZER(name, rules) {name, &rules},
#include "model/gguf/tokenizer.def"
};

}  // namespace

std::span<const NamedKind> gguf_tokenizer_kinds() { return kKinds; }
std::span<const NamedCuts> gguf_cuts() { return kCuts; }

}  // namespace nibble
