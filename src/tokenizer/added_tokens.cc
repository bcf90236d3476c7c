// Reading added tokens, and cutting a text at them.
#include "tokenizer/added_tokens.h"

#include <algorithm>

#include "tokenizer/unicode.h"

namespace nibble::tokenizer {
namespace {

std::size_t blanks_before(std::string_view text, std::size_t position) {
  for (std::size_t next = position; position > 0; position = next)
    if (!is_space(previous_character(text, next))) break;
  return position;
}

std::size_t blanks_after(std::string_view text, std::size_t position) {
  for (std::size_t next = position; position < text.size(); position = next)
    if (!is_space(next_character(text, next))) break;
  return position;
}

bool inside_word(std::string_view text, std::size_t begin, std::size_t end) {
  if (begin > 0 && is_word(previous_character(text, begin))) return true;
  return end < text.size() && is_word(next_character(text, end));
}

AddedToken read_token(const Json& entry) {
  required(entry, "content");
  json_int(entry, "id", 0, 0, INT32_MAX - 1);
  AddedToken token;
  token.content = json_string(entry, "content", "");
  token.special = json_bool(entry, "special", false);
  token.single_word = json_bool(entry, "single_word", false);
  token.lstrip = json_bool(entry, "lstrip", false);
  token.rstrip = json_bool(entry, "rstrip", false);
  token.normalized = json_bool(entry, "normalized", !token.special);
  return token;
}

}  // namespace

AddedTokens::AddedTokens(const Json& list, const Vocabulary& vocabulary,
                         const Normalizer* normalizer) {
  if (list.is_null()) return;
  if (!list.is_array())
    throw Error(ErrorKind::kCorruptFile,
                cat("\"added_tokens\" is of type ", list.type_name(), "; expected an array"));
  std::int32_t next_id = vocabulary.count();
  for (std::size_t i = 0; i < list.size(); ++i) {
    with_context(cat("added_tokens[", i, "]"), [&] {
      AddedToken token = read_token(list[i]);
      if (token.content.empty()) return;
      if (token.content.size() > PhraseMatcher::kMaxPhraseBytes)
        throw Error(ErrorKind::kUnsupported,
                    cat("\"content\" of ", token.content.size(), " bytes; the limit is ",
                        PhraseMatcher::kMaxPhraseBytes));
      if (const AddedToken* known = find(token.content))
        token.id = known->id;
      else if (const auto id = vocabulary.find(token.content))
        token.id = *id;
      else
        token.id = next_id++;
      token.spelling = token.content;
      if (token.normalized && normalizer != nullptr)
        token.spelling = normalizer->apply(token.content, growth_limit(token.content.size()));
      add(std::move(token));
    });
  }
  index();
}

void AddedTokens::add(AddedToken token) {
  const auto [place, fresh] = by_content_.try_emplace(token.content, tokens_.size());
  if (!fresh) {
    tokens_[place->second] = std::move(token);
    return;
  }
  by_id_[token.id] = tokens_.size();
  highest_id_ = std::max(highest_id_, token.id);
  tokens_.push_back(std::move(token));
}

// Normalized tokens can share a spelling: the first counts, a special one before others.
void AddedTokens::index() {
  for (const bool special : {true, false})
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      const AddedToken& token = tokens_[i];
      if (token.special == special && !token.spelling.empty())
        (token.normalized ? normalized_ : raw_).add(token.spelling, static_cast<std::int32_t>(i));
    }
}

std::vector<Section> AddedTokens::cut(std::string_view text, Stage stage,
                                      bool parse_special) const {
  const PhraseMatcher& matcher = stage == Stage::kRaw ? raw_ : normalized_;
  std::vector<Section> sections;
  std::size_t done = 0;  // the end of the last section
  for (auto match = matcher.find(text, 0); match; match = matcher.find(text, match->end)) {
    const AddedToken& token = tokens_[static_cast<std::size_t>(match->value)];
    if (token.special && !parse_special) continue;
    if (token.single_word && inside_word(text, match->begin, match->end)) continue;
    const std::size_t begin =
        token.lstrip ? std::max(blanks_before(text, match->begin), done) : match->begin;
    const std::size_t end = token.rstrip ? blanks_after(text, match->end) : match->end;
    if (done < begin) sections.push_back({done, begin, nullptr});
    // Blanks that the token before took with it may be all that this one consists of.
    if (begin < end) sections.push_back({begin, end, &token});
    // The end can lie before `done`: then what is left of those blanks is text once more.
    done = std::max(begin, end);
  }
  if (done < text.size()) sections.push_back({done, text.size(), nullptr});
  return sections;
}

const AddedToken* AddedTokens::find(std::int32_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &tokens_[found->second];
}

const AddedToken* AddedTokens::find(std::string_view content) const {
  const auto found = by_content_.find(std::string(content));
  return found == by_content_.end() ? nullptr : &tokens_[found->second];
}

bool AddedTokens::is_special(std::string_view content) const {
  const AddedToken* token = find(content);
  return token != nullptr && token->special;
}

}  // namespace nibble::tokenizer
