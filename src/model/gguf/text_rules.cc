// Components are taken in order; each is known, or refused by its name.
#include "model/gguf/text_rules.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "model/gguf/cut_rules.h"
#include "model/gguf/no_counterpart.h"
#include "tokenizer/component.h"
#include "tokenizer/metaspace.h"

namespace nibble {
namespace {

constexpr std::string_view kBlank = "▁";

std::string type_of(const Json& component) { return tokenizer::required_string(component, "type"); }

// The parts of a chain, and of the chains in it.
void flatten(const Json& component, const char* parts, std::vector<const Json*>& found) {
  if (type_of(component) != "Sequence") return found.push_back(&component);
  for (const Json& part : tokenizer::required_array(component, parts)) flatten(part, parts, found);
}

std::vector<const Json*> components(const Json& tree, const char* key, const char* parts) {
  std::vector<const Json*> found;
  const auto component = tree.find(key);
  if (component == tree.end() || component->is_null()) return found;
  tokenizer::check_size(*component);
  flatten(*component, parts, found);
  return found;
}

std::vector<const Json*> normalizers(const Json& tree) {
  return components(tree, "normalizer", "normalizers");
}
std::vector<const Json*> pretokenizers(const Json& tree) {
  return components(tree, "pre_tokenizer", "pretokenizers");
}

[[noreturn]] void refuse(std::string_view what, const Json& component) {
  no_counterpart(cat(what, " ", type_of(component).substr(0, 60),
                     " has no counterpart in a GGUF file: ", component.dump().substr(0, 300)));
}

// The string of a pattern {"String": …}, or nothing.
std::string literal_of(const Json& component) {
  const Json& pattern = tokenizer::required(component, "pattern");
  return pattern.is_object() ? json_string(pattern, "String", "") : std::string();
}

// One spelling for expressions that match the same.
std::string canonical(std::string_view expression) {
  constexpr std::pair<std::string_view, std::string_view> kSpellings[] = {
      // Greedy is enough where what follows cannot match what was taken.
      {"++", "+"},
      {"]?+", "]?"},
      {"'s|'t|'re|'ve|'m|'ll|'d", "'(?:[sdmt]|ll|ve|re)"},
      {"(?i:'(?:[sdmt]|ll|ve|re))", "'(?i:[sdmt]|ll|ve|re)"},
      {"(?:'(?:[sdmt]|ll|ve|re))", "'(?:[sdmt]|ll|ve|re)"},
      // Capitals spelled out leave the long s (U+017F) alone; no contraction is written with it.
      {"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])", "'(?i:[sdmt]|ll|ve|re)"},
      {"'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])", "'(?i:[sdmt]|ll|ve|re)"},
      {R"(\s*[\r\n]|)", R"(\s*[\r\n]+|)"},
  };
  std::string text(expression);
  for (const auto& [from, to] : kSpellings)
    for (std::size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size()))
      text.replace(at, from.size(), to);
  // What no alternative takes is a piece all the same.
  constexpr std::string_view kLast = R"(|\s+)";
  if (text.ends_with(R"(|\s+(?!\S))")) text += kLast;
  return text;
}

using Cuts = std::vector<std::string>;

void add_split(const Json& split, Cuts& cuts) {
  const Json& pattern = tokenizer::required(split, "pattern");
  const std::string expression = pattern.is_object() ? json_string(pattern, "Regex", "") : "";
  const std::string behavior = json_string(split, "behavior", "");
  const bool inverted = json_bool(split, "invert", false);
  // The expressions with a name that end in alternatives for blanks match every character: nothing
  // lies between their matches that could be removed.
  const std::string cut = canonical(expression);
  const bool whole = behavior == "Isolated"
                         ? !inverted
                         : behavior == "Removed" && inverted && cut.ends_with(R"(|\s+(?!\S)|\s+)");
  if (expression.empty() || !whole) refuse("pre-tokenizer", split);
  cuts.push_back(cut);
}

Cuts cuts_of(const Json& tree) {
  const std::string words = canonical(R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+|)"
                                      R"( ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)");
  Cuts cuts;
  bool spelled = false;  // as bytes; what cuts afterwards cuts another text
  for (const Json* part : pretokenizers(tree)) {
    const std::string type = type_of(*part);
    if (spelled) refuse("pre-tokenizer after ByteLevel:", *part);
    if (type == "Split") {
      add_split(*part, cuts);
    } else if (type == "Digits") {
      cuts.emplace_back(json_bool(*part, "individual_digits", false) ? R"(\p{N})" : R"(\p{N}+)");
    } else if (type == "Punctuation" && json_string(*part, "behavior", "") == "Contiguous") {
      cuts.emplace_back(R"([\p{P}\$\+<=>\^~\|`]+)");
    } else if (type == "ByteLevel" && !json_bool(*part, "add_prefix_space", true)) {
      if (json_bool(*part, "use_regex", true)) cuts.push_back(words);
      spelled = true;
    } else {
      refuse("pre-tokenizer", *part);
    }
  }
  return cuts;
}

bool cuts_as(const CutRules& rules, const Cuts& cuts) {
  const auto end = std::find(rules.expressions.begin(), rules.expressions.end(), "");
  return std::equal(rules.expressions.begin(), end, cuts.begin(), cuts.end(),
                    [](std::string_view a, const std::string& b) { return canonical(a) == b; });
}

}  // namespace

bool is_byte_level(const Json& tree) {
  for (const auto& parts : {normalizers(tree), pretokenizers(tree)})
    for (const Json* part : parts)
      if (type_of(*part) == "ByteLevel") return true;
  return false;
}

std::string_view name_of_cuts(const Json& tree) {
  bool composed = false;
  for (const Json* part : normalizers(tree)) {
    if (type_of(*part) != "NFC") refuse("normalizer", *part);
    composed = true;
  }
  const Cuts cuts = cuts_of(tree);
  const bool whole_words = json_bool(tokenizer::required(tree, "model"), "ignore_merges", false);
  std::string_view nearest;
  bool cuts_known = false;
  for (const NamedCuts& entry : gguf_cuts()) {
    if (entry.name.empty() || !cuts_as(*entry.rules, cuts)) continue;
    cuts_known = true;
    if (entry.rules->composed != composed) continue;
    if (entry.rules->whole_words_first == whole_words) return entry.name;
    if (nearest.empty()) nearest = entry.name;
  }
  if (!nearest.empty()) return nearest;
  const std::string shown = cuts.empty() ? "nothing" : join(cuts, "  then  ");
  if (cuts_known)
    no_counterpart(cat("normalizer: GGUF has no name for cutting text with ", shown,
                       composed ? " after NFC" : " without NFC"));
  no_counterpart(cat("pre-tokenizer: GGUF has no name for cutting text with ", shown));
}

bool puts_blank_in_front(const Json& tree) {
  bool in_front = false, replaced = false;
  for (const Json* part : normalizers(tree)) {
    const std::string type = type_of(*part);
    if (type == "Prepend" && json_string(*part, "prepend", "") == kBlank) {
      in_front = true;
    } else if (type == "Replace" && literal_of(*part) == " " &&
               json_string(*part, "content", "") == kBlank) {
      replaced = true;
    } else {
      refuse("normalizer", *part);
    }
  }
  for (const Json* part : pretokenizers(tree)) {
    const std::string type = type_of(*part);
    if (type == "Metaspace") {
      const tokenizer::MetaspaceSettings settings = tokenizer::read_metaspace(*part);
      if (settings.replacement != U'▁') refuse("pre-tokenizer", *part);
      in_front |= settings.prepend != tokenizer::PrependScheme::kNever;
      replaced = true;
    } else if (type != "Split" || literal_of(*part) != " " || !replaced) {
      // Where blanks are replaced already, there is nothing to cut at.
      refuse("pre-tokenizer", *part);
    }
  }
  if (!replaced) no_counterpart("a GGUF file spells blanks as \"▁\"; this tokenizer.json does not");
  return in_front;
}

}  // namespace nibble
