// The lists become a TokenizerFile, as if they stood in a tokenizer.json.
#include "model/gguf/tokenizer.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string_view>

#include "base/text.h"
#include "model/gguf/cut_rules.h"
#include "nibble/error.h"
#include "tokenizer/byte_fallback.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/score_merges.h"
#include "tokenizer/unicode.h"

namespace nibble {
namespace {

using tokenizer::TokenizerFile;

// Values of tokenizer.ggml.token_type.
enum Type : std::int32_t { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };

constexpr std::size_t kMaxAdded = 100'000;  // tokens that are cut out of the text
constexpr const char* kRemedy =
    "convert the model again, or put its tokenizer.json beside the GGUF file";

[[noreturn]] void corrupt(const std::string& message) {
  throw Error(ErrorKind::kCorruptFile, message, kRemedy);
}

const CutRules& rules_called(const std::string& name) {
  std::vector<std::string> known;
  for (const NamedCuts& entry : gguf_cuts()) {
    if (entry.name == name) return *entry.rules;
    if (!entry.name.empty()) known.emplace_back(entry.name);
  }
  throw Error(
      ErrorKind::kUnsupported,
      cat("tokenizer.ggml.pre \"", tokenizer::lossy_utf8(std::string_view(name).substr(0, 60)),
          "\" is not supported; known: ", join(known, ", ")),
      "put the model's tokenizer.json beside the GGUF file");
}

Json split_at(std::string_view expression) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", expression}}},
          {"behavior", "Isolated"},
          {"invert", false}};
}

// A chain of one kind of component: {"type": "Sequence", "<key>": […]}.
Json sequence(const char* key, Json parts) {
  return {{"type", "Sequence"}, {key, std::move(parts)}};
}

class Builder {
 public:
  explicit Builder(GgufVocabulary&& vocabulary) : given_(std::move(vocabulary)) {
    file_.tree = Json::object();
    file_.has_vocab = file_.has_merges = true;
    if (given_.tokens.empty()) corrupt("tokenizer.ggml.tokens is empty or missing");
    check_length("token_type", given_.token_types.size());
    check_length("scores", given_.scores.size());
    for (std::size_t i = 0; i < given_.tokens.size(); ++i) add_token(i);
  }

  // "The" merges of a byte-level vocabulary are in the file; how to cut words is behind a name.
  void byte_level() {
    const CutRules& rules = rules_called(given_.pre);
    Json cuts = Json::array();
    for (const std::string_view expression : rules.expressions)
      if (!expression.empty()) cuts.push_back(split_at(expression));
    cuts.push_back({{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}});
    file_.tree["pre_tokenizer"] = sequence("pretokenizers", std::move(cuts));
    if (rules.composed) file_.tree["normalizer"] = {{"type", "NFC"}};
    file_.tree["decoder"] = {{"type", "ByteLevel"}};
    file_.tree["model"] = {{"type", "BPE"}, {"ignore_merges", rules.whole_words_first}};
    for (std::size_t i = 0; i < given_.merges.size(); ++i) add_merge(i);
    add_bos_ = given_.add_bos.value_or(rules.begins_with_bos);
  }

  // A SentencePiece vocabulary: the scores say what is merged first.
  void pieces() {
    if (given_.scores.empty()) corrupt("tokenizer.ggml.scores is missing");
    set_default(given_.bos, 1);
    set_default(given_.eos, 2);
    set_default(given_.unk, 0);
    add_bos_ = given_.add_bos.value_or(true);
    const bool prefix = given_.add_space_prefix.value_or(true);
    Json normalizers = Json::array(), decoders = Json::array();
    if (prefix) normalizers.push_back({{"type", "Prepend"}, {"prepend", "▁"}});
    normalizers.push_back(replace(" ", "▁"));
    decoders.push_back(replace("▁", " "));
    decoders.push_back({{"type", "ByteFallback"}});
    decoders.push_back({{"type", "Fuse"}});
    if (prefix)
      decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
    file_.tree["normalizer"] = sequence("normalizers", std::move(normalizers));
    file_.tree["decoder"] = sequence("decoders", std::move(decoders));
    file_.tree["model"] = {{"type", "BPE"}, {"fuse_unk", true}, {"byte_fallback", true}};
    if (given_.unk) file_.tree["model"]["unk_token"] = token_at("unknown", *given_.unk);
    tokenizer::ScoredPieces pieces;
    for (std::size_t i = 0; i < given_.tokens.size(); ++i) {
      if (type_of(i) != kNormal || given_.tokens[i].empty()) continue;
      if (std::isnan(given_.scores[i]))
        corrupt(cat("tokenizer.ggml.scores[", i, "] is not a number"));
      pieces.texts.add(given_.tokens[i]);
      pieces.ids.push_back(static_cast<std::int64_t>(i));
      pieces.scores.push_back(given_.scores[i]);
    }
    // A converter that found no scores writes the same one everywhere. Ids say the order then:
    // SentencePiece numbers pieces as it learned them.
    const auto& scores = pieces.scores;
    if (std::adjacent_find(scores.begin(), scores.end(), std::not_equal_to<>()) == scores.end())
      for (std::size_t i = 0; i < scores.size(); ++i) pieces.scores[i] = -static_cast<float>(i);
    file_.rules = tokenizer::score_merges(std::move(pieces));
  }

  DescribedTokenizer described() {
    tokenizer::SpecialNames names;
    if (given_.bos) names.set("bos_token", token_at("bos", *given_.bos));
    if (given_.eos) names.set("eos_token", token_at("eos", *given_.eos));
    names.rebuild = true;
    names.add_bos = add_bos_ && given_.bos;
    names.add_eos = given_.add_eos.value_or(false) && given_.eos;
    file_.tree["added_tokens"] = std::move(added_);
    given_ = {};
    return {std::move(file_), std::move(names)};
  }

 private:
  static Json replace(const char* what, const char* with) {
    return {{"type", "Replace"}, {"pattern", {{"String", what}}}, {"content", with}};
  }

  void set_default(std::optional<std::int32_t>& id, std::int32_t otherwise) const {
    if (!id && static_cast<std::size_t>(otherwise) < given_.tokens.size()) id = otherwise;
  }

  void check_length(const char* key, std::size_t length) const {
    if (length != 0 && length != given_.tokens.size())
      corrupt(cat("tokenizer.ggml.", key, " has ", length, " entries for ", given_.tokens.size(),
                  " tokens"));
  }

  std::int32_t type_of(std::size_t i) const {
    return given_.token_types.empty() ? kNormal : given_.token_types[i];
  }

  const std::string& token_at(const char* role, std::int32_t id) const {
    if (id < 0 || static_cast<std::size_t>(id) >= given_.tokens.size())
      corrupt(cat("the ", role, " token has the id ", id, "; there are ", given_.tokens.size(),
                  " tokens"));
    return given_.tokens[static_cast<std::size_t>(id)];
  }

  void add_token(std::size_t i) {
    const std::string& text = given_.tokens[i];
    const std::int32_t type = type_of(i);
    if (type < kNormal || type > kByte)
      corrupt(cat("tokenizer.ggml.token_type[", i, "] is ", type, "; expected 1 to 6"));
    if (!is_valid_utf8(text))
      corrupt(cat("tokenizer.ggml.tokens[", i, "] is not well-formed UTF-8"));
    if (type == kByte) {
      const auto byte = tokenizer::fallback_byte(text);
      if (!byte || tokenizer::fallback_token(*byte) != text)
        corrupt(cat("tokenizer.ggml.tokens[", i, "] is \"", text.substr(0, 40),
                    "\", of the type of byte tokens; expected <0x00> to <0xFF>"));
    }
    if (text.empty()) return;  // a place without a token
    file_.tokens.add(text);
    file_.ids.push_back(static_cast<std::int64_t>(i));
    if (type != kControl && type != kUserDefined && type != kUnknown) return;
    if (added_.size() >= kMaxAdded)
      throw Error(ErrorKind::kUnsupported,
                  cat("more than ", kMaxAdded, " tokens that are not ordinary pieces of text"));
    added_.push_back(
        {{"id", i}, {"content", text}, {"special", type != kUserDefined}, {"normalized", false}});
  }

  // "left right"; a blank inside of either is spelled differently.
  void add_merge(std::size_t i) {
    const std::string_view merge = given_.merges[i];
    const std::size_t blank = merge.find(' ');
    if (blank == 0 || blank >= merge.size() - 1 || merge.find(' ', blank + 1) != merge.npos)
      corrupt(cat("tokenizer.ggml.merges[", i, "] is \"", lossy_utf8(merge.substr(0, 60)),
                  "\"; expected two tokens and a blank between them"));
    file_.merges.add(merge.substr(0, blank));
    file_.merges.add(merge.substr(blank + 1));
  }

  static std::string lossy_utf8(std::string_view text) { return tokenizer::lossy_utf8(text); }

  GgufVocabulary given_;
  TokenizerFile file_;
  Json added_ = Json::array();
  bool add_bos_ = false;
};

}  // namespace

DescribedTokenizer describe_gguf_tokenizer(GgufVocabulary vocabulary) {
  std::vector<std::string> known;
  for (const NamedKind& entry : gguf_tokenizer_kinds()) {
    if (entry.name == vocabulary.model) {
      Builder builder(std::move(vocabulary));
      if (entry.kind == GgufTokenizerKind::kByteLevel)
        builder.byte_level();
      else
        builder.pieces();
      return builder.described();
    }
    known.emplace_back(entry.name);
  }
  throw Error(ErrorKind::kUnsupported,
              cat("tokenizer.ggml.model \"",
                  tokenizer::lossy_utf8(std::string_view(vocabulary.model).substr(0, 60)),
                  "\" is not supported; known: ", join(known, ", ")),
              "put the model's tokenizer.json beside the GGUF file");
}

std::unique_ptr<Tokenizer> tokenizer_from_gguf(GgufVocabulary vocabulary) {
  DescribedTokenizer described = describe_gguf_tokenizer(std::move(vocabulary));
  return std::make_unique<tokenizer::Pipeline>(std::move(described.file), described.names);
}

}  // namespace nibble
