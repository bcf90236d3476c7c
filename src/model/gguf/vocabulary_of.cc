// tokenizer.json is read twice: as a Tokenizer, which knows what the file means, and as lists.
#include "model/gguf/vocabulary_of.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/text.h"
#include "model/find_chat_template.h"
#include "model/gguf/cut_rules.h"
#include "model/gguf/no_counterpart.h"
#include "model/gguf/piece_scores.h"
#include "model/gguf/same_tokens.h"
#include "model/gguf/special_roles.h"
#include "model/gguf/text_rules.h"
#include "model/gguf/token_type.h"
#include "nibble/tokenizer.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/byte_fallback.h"
#include "tokenizer/component.h"
#include "tokenizer/tokenizer_file.h"

namespace nibble {
namespace {

using tokenizer::TokenizerFile;

constexpr std::uint64_t kMaxFileBytes = 256ull << 20;
constexpr const char* kPiecesCut = "default";  // pieces are not cut before they are merged

// Settings of a BPE model that GGUF has no words for.
void check_model(const Json& model) {
  const std::string type = json_string(model, "type", "BPE");
  if (type != "BPE")
    no_counterpart(cat("model ", type.substr(0, 60),
                       " has no counterpart in a GGUF file; known: BPE over bytes, BPE with "
                       "byte_fallback"));
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (const std::string affix = json_string(model, key, ""); !affix.empty())
      no_counterpart(cat("model BPE: \"", key, "\" (\"", affix.substr(0, 60),
                         "\") has no counterpart in a GGUF file"));
}

GgufTokenizerKind kind_of(const Json& tree) {
  const Json& model = tokenizer::required(tree, "model");
  check_model(model);
  if (is_byte_level(tree)) return GgufTokenizerKind::kByteLevel;
  if (json_bool(model, "byte_fallback", false)) return GgufTokenizerKind::kPieces;
  no_counterpart(
      "model BPE: neither ByteLevel nor \"byte_fallback\"; a GGUF file knows no third kind");
}

// What GGUF has no words for is thrown, or collected where there is a list. Only the first line of
// an error: what could be done instead is not needed then.
class Strictness {
 public:
  explicit Strictness(std::vector<std::string>* differences) : differences_(differences) {}

  template <typename Action>
  bool allows(Action&& action) const {
    try {
      action();
      return true;
    } catch (const Error& error) {
      if (differences_ == nullptr || error.kind() != ErrorKind::kUnsupported) throw;
      const std::string text = error.what();
      differences_->push_back(text.substr(0, text.find('\n')));
      return false;
    }
  }

 private:
  std::vector<std::string>* differences_;
};

// The cuts with a name that turn most texts into the same tokens.
std::string nearest_cuts(const Tokenizer& tokenizer, GgufVocabulary vocabulary) {
  std::string best;
  std::size_t most = 0;
  for (const NamedCuts& entry : gguf_cuts()) {
    vocabulary.pre = entry.name;
    if (entry.name.empty()) continue;
    const std::size_t same = same_texts(tokenizer, vocabulary);
    if (!best.empty() && same <= most) continue;
    most = same;
    best = entry.name;
  }
  return best;
}

class Builder {
 public:
  Builder(const Tokenizer& tokenizer, const TokenizerFile& file, std::size_t rows,
          const Strictness& strictness)
      : tokenizer_(tokenizer), file_(file), strictness_(strictness), kind_(kind_of(file.tree)) {
    const auto count = static_cast<std::size_t>(tokenizer.vocabulary_size());
    if (count > rows)
      no_counterpart(cat("the tokenizer has ids up to ", count - 1, ", the embedding ", rows,
                         " rows; a GGUF file needs a row for each"));
    for (const NamedKind& entry : gguf_tokenizer_kinds())
      if (entry.kind == kind_) result_.model = entry.name;
    for (std::size_t id = 0; id < rows; ++id) {
      result_.tokens.push_back(id < count ? tokenizer.token_text(static_cast<std::int32_t>(id))
                                          : std::string());
      const bool used = !result_.tokens.back().empty();
      if (!used) result_.tokens.back() = cat("[PAD", id, "]");
      result_.token_types.push_back(used ? gguf_token::kNormal : gguf_token::kUnused);
    }
    if (kind_ == GgufTokenizerKind::kByteLevel)
      add_byte_level();
    else
      add_pieces();
  }

  GgufVocabulary take() && { return std::move(result_); }

 private:
  std::int32_t& type(std::int32_t id) { return result_.token_types[static_cast<std::size_t>(id)]; }

  void add_byte_level() {
    const bool named = strictness_.allows([&] { result_.pre = name_of_cuts(file_.tree); });
    check_byte_characters();
    for (std::size_t i = 0; i + 1 < file_.merges.size(); i += 2) {
      result_.merges.push_back(cat(file_.merges[i], " ", file_.merges[i + 1]));
      if (std::count(result_.merges.back().begin(), result_.merges.back().end(), ' ') != 1)
        no_counterpart(cat("merge ", i / 2, " has a blank inside of a token; a GGUF file has no ",
                           "way to write it"));
    }
    set_added_types();
    if (!named) result_.pre = nearest_cuts(tokenizer_, result_);
  }

  void add_pieces() {
    result_.pre = kPiecesCut;
    strictness_.allows([&] { result_.add_space_prefix = puts_blank_in_front(file_.tree); });
    for (int byte = 0; byte < 256; ++byte) {
      const std::string token = tokenizer::fallback_token(static_cast<std::uint8_t>(byte));
      const auto id = tokenizer_.token_id(token);
      if (!id) no_counterpart(cat("the vocabulary lacks ", token, "; a GGUF file needs all bytes"));
      type(*id) = gguf_token::kByte;
    }
    order_ = merge_order(file_, tokenizer_, result_.tokens.size());
    set_added_types();
    const std::string unknown = json_string(file_.tree.at("model"), "unk_token", "");
    const auto id = unknown.empty() ? std::nullopt : tokenizer_.token_id(unknown);
    if (id && type(*id) == gguf_token::kControl) type(*id) = gguf_token::kUnknown;
    result_.scores = piece_scores(order_, result_.token_types);
  }

  // A byte without a token of its own is dropped by readers of GGUF files.
  void check_byte_characters() const {
    const Json& model = file_.tree.at("model");
    if (json_string(model, "unk_token", "").empty() && !json_bool(model, "byte_fallback", false))
      return;
    for (int byte = 0; byte < 256; ++byte) {
      std::string character;
      tokenizer::append_byte_characters(character, std::string(1, static_cast<char>(byte)));
      if (!tokenizer_.token_id(character))
        no_counterpart(cat("the vocabulary lacks the byte ", byte, " (", character,
                           "), which would be the unknown token; a GGUF file leaves it out"));
    }
  }

  void set_added_types() {
    const auto added = file_.tree.find("added_tokens");
    if (added == file_.tree.end() || added->is_null()) return;
    for (const Json& entry : *added) {
      const std::string content = json_string(entry, "content", "");
      const auto id = tokenizer_.token_id(content);
      if (!id) continue;  // an empty one
      for (const char* key : {"lstrip", "rstrip", "single_word"})
        if (json_bool(entry, key, false))
          strictness_.allows([&] {
            no_counterpart(cat("added token ", content.substr(0, 60), ": \"", key,
                               "\" has no counterpart in a GGUF file"));
          });
      if (tokenizer_.is_special(*id))
        type(*id) = gguf_token::kControl;
      else if (!made_of_blanks(content, *id))
        type(*id) = gguf_token::kUserDefined;
    }
  }

  // "▁▁": added, so that it is found where a text holds this very sign, and merged, since blanks
  // become the sign after added tokens are looked for. Only a piece that is merged finds blanks.
  bool made_of_blanks(std::string_view content, std::int32_t id) const {
    return !order_.empty() && order_[static_cast<std::size_t>(id)] >= 0 &&
           content.find("▁") != content.npos;
  }

  const Tokenizer& tokenizer_;
  const TokenizerFile& file_;
  const Strictness& strictness_;
  GgufTokenizerKind kind_;
  std::vector<std::int32_t> order_;  // of pieces
  GgufVocabulary result_;
};

}  // namespace

GgufVocabulary gguf_vocabulary_of(const fs::path& folder, std::size_t rows,
                                  std::vector<std::string>* differences) {
  const Strictness strictness(differences);
  const fs::path path = folder / "tokenizer.json";
  TokenizerFile file;
  if (fs::exists(path)) {
    const std::string text = read_file(path, kMaxFileBytes);
    with_context(path.string(), [&] {
      file = tokenizer::read_tokenizer_file(text);
      kind_of(file.tree);  // in the words of GGUF, before the tokenizer refuses it in its own
    });
  }
  const auto tokenizer = Tokenizer::open(folder);
  GgufVocabulary vocabulary = with_context(
      path.string(), [&] { return Builder(*tokenizer, file, rows, strictness).take(); });
  vocabulary.chat_template = chat_template_text(folder);
  return with_context(path.string(), [&] {
    strictness.allows([&] { set_special_roles(folder, *tokenizer, vocabulary); });
    strictness.allows([&] { check_same_tokens(*tokenizer, vocabulary); });
    return std::move(vocabulary);
  });
}

}  // namespace nibble
