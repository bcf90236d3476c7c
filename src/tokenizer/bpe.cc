// Byte pair encoding (Sennrich, Haddow and Birch 2016) as tokenizer.json describes it: byte-level,
// or SentencePiece's with "<0xHH>" tokens for characters outside the vocabulary.
#include <algorithm>
#include <array>

#include "tokenizer/byte_fallback.h"
#include "tokenizer/component.h"
#include "tokenizer/merges.h"
#include "tokenizer/token_model.h"
#include "tokenizer/unicode.h"

namespace nibble::tokenizer {
namespace {

constexpr std::int32_t kNone = -1;
constexpr std::string_view kBlank = "▁";
constexpr char32_t kDirectCharacters = 0x800;  // ids of these come from an array

class Bpe : public TokenModel {
 public:
  explicit Bpe(TokenizerFile&& file)
      : vocabulary_(std::move(file.tokens), std::move(file.ids)),
        merges_(file.merges.size() / 2 + file.rules.size()) {
    const Json& settings = required(file.tree, "model");
    if (json_number(settings, "dropout", 0) != 0)
      throw Error(ErrorKind::kUnsupported, "dropout makes every encoding a random one",
                  "set \"dropout\" to null in tokenizer.json");
    prefix_ = json_string(settings, "continuing_subword_prefix", "");
    suffix_ = json_string(settings, "end_of_word_suffix", "");
    unknown_ = json_string(settings, "unk_token", "");
    fuse_unknown_ = json_bool(settings, "fuse_unk", false);
    whole_words_first_ = json_bool(settings, "ignore_merges", false);
    read_byte_tokens(json_bool(settings, "byte_fallback", false));
    for (char32_t c = 0; c < kDirectCharacters; ++c) {
      std::string text;
      append_utf8(text, c);
      direct_[c] = vocabulary_.find(text).value_or(kNone);
    }
    // SentencePiece models often get a whole text as one piece. Where no merge joins a word and the
    // blank behind it, the words can be encoded one by one, with the same result.
    cut_at_blanks_ = prefix_.empty() && suffix_.empty() && !whole_words_first_ &&
                     vocabulary_.find(kBlank).has_value();
    for (std::size_t i = 0; i + 1 < file.merges.size(); i += 2)
      add_merge(file.merges[i], file.merges[i + 1], static_cast<std::uint32_t>(i / 2));
    for (const MergeRule& rule : file.rules) {
      merges_.set(rule.left, rule.right, {rule.rank, rule.merged});
      note_blanks(*vocabulary_.text(rule.left), *vocabulary_.text(rule.right));
    }
  }

  const Vocabulary& vocabulary() const override { return vocabulary_; }

  void encode(std::string_view piece, WordCache& words, Ids& ids) const override {
    while (cut_at_blanks_ && !piece.empty()) {
      const std::size_t end = first_word(piece);
      encode_word(piece.substr(0, end), words, ids);
      piece.remove_prefix(end);
    }
    if (!piece.empty()) encode_word(piece, words, ids);
  }

 private:
  void encode_word(std::string_view text, WordCache& words, Ids& ids) const {
    if (const auto known = words.find(text); known.data() != nullptr) {
      ids.insert(ids.end(), known.begin(), known.end());
      return;
    }
    const std::size_t before = ids.size();
    const auto whole = whole_words_first_ ? vocabulary_.find(text) : std::nullopt;
    if (whole) {
      ids.push_back(*whole);
    } else {
      Ids word;
      word.reserve(text.size());
      break_up(text, word);
      merges_.apply(word, ids);
    }
    words.add(text, std::span<const std::int32_t>(ids).subspan(before));
  }

  // Behind the first character that is not "▁" and stands before one: no rule merges across.
  static std::size_t first_word(std::string_view piece) {
    std::size_t begin = 0;
    while (piece.substr(begin).starts_with(kBlank)) begin += kBlank.size();
    return std::min(piece.find(kBlank, begin), piece.size());
  }

  void read_byte_tokens(bool wanted) {
    for (int byte = 0; byte < 256; ++byte) {
      const auto id =
          wanted ? vocabulary_.find(fallback_token(static_cast<std::uint8_t>(byte))) : std::nullopt;
      byte_tokens_[static_cast<std::size_t>(byte)] = id.value_or(kNone);
    }
  }

  void add_merge(std::string_view left, std::string_view right, std::uint32_t rank) {
    const std::string_view rest = right.starts_with(prefix_) ? right.substr(prefix_.size()) : right;
    const std::string merged = cat(left, rest);
    const auto id_of = [&](std::string_view token) {
      const auto id = vocabulary_.find(token);
      if (!id)
        throw Error(ErrorKind::kCorruptFile,
                    cat("merge ", rank, " (\"", left.substr(0, 60), "\", \"", right.substr(0, 60),
                        "\") needs the token \"", token.substr(0, 120),
                        "\", which is not in the vocabulary"));
      return *id;
    };
    merges_.set(id_of(left), id_of(right), {rank, id_of(merged)});
    note_blanks(left, right);
  }

  void note_blanks(std::string_view left, std::string_view right) {
    if (right.starts_with(kBlank) && !left.ends_with(kBlank)) cut_at_blanks_ = false;
  }

  std::int32_t character_id(std::string_view character, bool first, bool last) const {
    if ((first || prefix_.empty()) && (!last || suffix_.empty())) {
      std::size_t position = 0;
      const char32_t c = next_character(character, position);
      if (c < kDirectCharacters) return direct_[c];
      return vocabulary_.find(character).value_or(kNone);
    }
    return vocabulary_.find(cat(first ? "" : prefix_, character, last ? suffix_ : ""))
        .value_or(kNone);
  }

  bool has_byte_tokens(std::string_view character) const {
    for (const char byte : character)
      if (byte_tokens_[static_cast<unsigned char>(byte)] == kNone) return false;
    return true;
  }

  // One id for each character of the piece; what the vocabulary lacks becomes bytes, then unknown.
  void break_up(std::string_view piece, Ids& word) const {
    std::int32_t pending_unknown = kNone;  // written when it is certain that no other one joins it
    for (std::size_t i = 0; i < piece.size();) {
      const std::size_t begin = i;
      i += character_bytes(piece[i]);
      const std::string_view character = piece.substr(begin, i - begin);
      const std::int32_t id = character_id(character, begin == 0, i == piece.size());
      if (id != kNone) {
        if (pending_unknown != kNone) word.push_back(pending_unknown);
        pending_unknown = kNone;
        word.push_back(id);
      } else if (has_byte_tokens(character)) {
        for (const char byte : character)
          word.push_back(byte_tokens_[static_cast<unsigned char>(byte)]);
      } else if (!unknown_.empty()) {
        if (pending_unknown != kNone && !fuse_unknown_) word.push_back(pending_unknown);
        pending_unknown = unknown_id();
      }
    }
    if (pending_unknown != kNone) word.push_back(pending_unknown);
  }

  std::int32_t unknown_id() const {
    if (const auto id = vocabulary_.find(unknown_)) return *id;
    throw Error(ErrorKind::kCorruptFile,
                cat("a character has no token, and \"unk_token\" \"", unknown_.substr(0, 60),
                    "\" is not in the vocabulary"));
  }

  Vocabulary vocabulary_;
  Merges merges_;
  std::string prefix_, suffix_, unknown_;
  bool fuse_unknown_ = false;
  bool whole_words_first_ = false;
  bool cut_at_blanks_ = false;
  std::array<std::int32_t, 256> byte_tokens_{};
  std::array<std::int32_t, kDirectCharacters> direct_{};
};

}  // namespace

extern const TokenModelKind bpe{
    .type = "BPE",
    .recognises = [](const TokenizerFile& file) { return file.has_vocab && file.has_merges; },
    .read = [](TokenizerFile&& file) -> std::unique_ptr<TokenModel> {
      if (!file.has_vocab)
        throw Error(ErrorKind::kCorruptFile, "\"vocab\" is missing or not an object");
      if (!file.has_merges)
        throw Error(ErrorKind::kCorruptFile, "\"merges\" is missing or not an array");
      return std::make_unique<Bpe>(std::move(file));
    },
};

}  // namespace nibble::tokenizer
