#include "model/gguf/tokenizer_json.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "model/gguf/same_tokens.h"
#include "model/gguf/token_type.h"
#include "model/gguf/tokenizer.h"
#include "nibble/error.h"
#include "tokenizer/unicode.h"

namespace nibble {
namespace {

using tokenizer::MergeRule;
using tokenizer::TokenizerFile;

// Vocabulary and merges are written as text: an object of so many keys would be slow to make.
std::string json_text(std::string_view text) {
  if (!is_valid_utf8(text))
    throw Error(ErrorKind::kCorruptFile,
                cat("the tokenizer holds a text that is not well-formed UTF-8: ",
                    tokenizer::lossy_utf8(text.substr(0, 60))));
  return Json(text).dump();
}

// "[PAD321]" of a row of the embedding that no token has.
bool is_filler(const GgufVocabulary& given, std::size_t id) {
  return !given.token_types.empty() && given.token_types[id] == gguf_token::kUnused &&
         given.tokens[id] == cat("[PAD", id, "]");
}

// In the order of ids, as files of that kind have it.
std::string vocabulary_text(const GgufVocabulary& given) {
  std::string text = "{";
  std::set<std::string_view> seen;
  for (std::size_t id = 0; id < given.tokens.size(); ++id) {
    if (given.tokens[id].empty() || is_filler(given, id)) continue;
    if (!seen.insert(given.tokens[id]).second)
      throw Error(
          ErrorKind::kUnsupported,
          cat("two tokens are called ", json_text(given.tokens[id]), ", the second has the id ", id,
              "; a tokenizer.json has one id for each text"),
          "put the model's own tokenizer.json beside the GGUF file");
    text += cat(text.size() > 1 ? "," : "", "\n      ", json_text(given.tokens[id]), ": ", id);
  }
  return text + "\n    }";
}

// Of pieces: the merge into the highest score first. Those into pieces of one score, which have no
// order there, come with the longest left part first, as transformers' own converter has it.
std::vector<std::pair<std::string, std::string>> merges_of_rules(const GgufVocabulary& given,
                                                                 std::vector<MergeRule> rules) {
  const auto text = [&](std::int32_t id) -> const std::string& {
    return given.tokens[static_cast<std::size_t>(id)];
  };
  std::stable_sort(rules.begin(), rules.end(), [&](const MergeRule& a, const MergeRule& b) {
    if (a.rank != b.rank) return a.rank < b.rank;
    return text(a.left).size() > text(b.left).size();
  });
  std::vector<std::pair<std::string, std::string>> merges;
  for (const MergeRule& rule : rules) merges.emplace_back(text(rule.left), text(rule.right));
  return merges;
}

std::string merges_text(const std::vector<std::pair<std::string, std::string>>& merges) {
  std::string text = "[";
  for (const auto& [left, right] : merges)
    text +=
        cat(text.size() > 1 ? "," : "", "\n      [", json_text(left), ", ", json_text(right), "]");
  return text + "\n    ]";
}

// What readers ask for in a component of bytes, whether or not it matters.
void complete(Json& part) {
  if (!part.is_object()) return;
  for (const char* parts : {"pretokenizers", "normalizers", "decoders"})
    if (const auto inside = part.find(parts); inside != part.end())
      for (Json& one : *inside) complete(one);
  if (json_string(part, "type", "") != "ByteLevel") return;
  for (const char* key : {"add_prefix_space", "trim_offsets", "use_regex"})
    if (!part.contains(key)) part[key] = std::string_view(key) != "add_prefix_space";
}

// The tokens around each text, or null.
Json around(const GgufVocabulary& given, const tokenizer::SpecialNames& names) {
  Json single = Json::array(), pair = Json::array(), tokens = Json::object();
  const auto special = [&](const std::string& token, std::int32_t id, int type) {
    tokens[token] = {{"id", token}, {"ids", {id}}, {"tokens", {token}}};
    return Json{{"SpecialToken", {{"id", token}, {"type_id", type}}}};
  };
  const auto sequence = [](const char* name, int type) {
    return Json{{"Sequence", {{"id", name}, {"type_id", type}}}};
  };
  const std::string bos = names.token("bos_token"), eos = names.token("eos_token");
  for (const int type : {0, 1}) {
    if (names.add_bos) pair.push_back(special(bos, *given.bos, type));
    pair.push_back(sequence(type == 0 ? "A" : "B", type));
    if (names.add_eos) pair.push_back(special(eos, *given.eos, type));
    if (type == 0) single = pair;
  }
  if (tokens.empty()) return nullptr;
  return {{"type", "TemplateProcessing"},
          {"single", single},
          {"pair", pair},
          {"special_tokens", tokens}};
}

Json part_of(const Json& tree, const char* key) {
  const auto found = tree.find(key);
  Json part = found != tree.end() ? *found : Json(nullptr);
  complete(part);
  return part;
}

}  // namespace

std::string tokenizer_json_of(const GgufVocabulary& vocabulary,
                              std::vector<std::string>& differences) {
  const DescribedTokenizer described = describe_gguf_tokenizer(vocabulary);
  const TokenizerFile& file = described.file;
  GgufVocabulary given = vocabulary;
  // Where the file leaves them out the kind of tokenizer has them at fixed places.
  const auto id_of = [&](const std::string& token) -> std::optional<std::int32_t> {
    const auto found = std::find(given.tokens.begin(), given.tokens.end(), token);
    if (token.empty() || found == given.tokens.end()) return std::nullopt;
    return static_cast<std::int32_t>(found - given.tokens.begin());
  };
  if (!given.bos) given.bos = id_of(described.names.token("bos_token"));
  if (!given.eos) given.eos = id_of(described.names.token("eos_token"));

  std::vector<std::pair<std::string, std::string>> merges;
  for (std::size_t i = 0; i + 1 < file.merges.size(); i += 2)
    merges.emplace_back(file.merges[i], file.merges[i + 1]);
  if (merges.empty()) merges = merges_of_rules(vocabulary, file.rules);

  Json added = Json::array();
  for (Json token : file.tree.at("added_tokens")) {
    for (const char* key : {"single_word", "lstrip", "rstrip"}) token[key] = false;
    added.push_back(std::move(token));
  }
  Json model = {{"dropout", nullptr},
                {"unk_token", nullptr},
                {"continuing_subword_prefix", nullptr},
                {"end_of_word_suffix", nullptr},
                {"fuse_unk", false},
                {"byte_fallback", false},
                {"ignore_merges", false}};
  model.update(file.tree.at("model"));
  std::string text = "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null";
  const auto put = [&](const char* key, const Json& value) {
    text += cat(",\n  ", json_text(key), ": ", value.dump());
  };
  put("added_tokens", added);
  for (const char* key : {"normalizer", "pre_tokenizer"}) put(key, part_of(file.tree, key));
  put("post_processor", around(given, described.names));
  put("decoder", part_of(file.tree, "decoder"));
  text += ",\n  \"model\": {";
  for (const auto& [key, value] : model.items())
    text += cat("\n    ", json_text(key), ": ", value.dump(), ",");
  text += cat("\n    \"vocab\": ", vocabulary_text(given),
              ",\n    \"merges\": ", merges_text(merges), "\n  }\n}\n");

  try {
    check_same_tokens_as_lists(*Tokenizer::parse(text), vocabulary);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kUnsupported || file.rules.empty()) throw;
    const std::string what = error.what();
    differences.push_back(what.substr(0, what.find('\n')));
  }
  return text;
}

Json tokenizer_config_of(const GgufVocabulary& vocabulary, std::size_t context) {
  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                 {"clean_up_tokenization_spaces", false},
                 {"model_max_length", context}};
  // Pieces have these at fixed places where the file says nothing.
  const bool pieces = !vocabulary.scores.empty();
  const auto put = [&](const char* role, std::optional<std::int32_t> id, std::int32_t otherwise) {
    if (!id && pieces && otherwise >= 0) id = otherwise;
    if (!id || static_cast<std::size_t>(*id) >= vocabulary.tokens.size()) return;
    config[role] = Json::parse(json_text(vocabulary.tokens[static_cast<std::size_t>(*id)]));
  };
  put("bos_token", vocabulary.bos, 1);
  put("eos_token", vocabulary.eos, 2);
  put("unk_token", vocabulary.unk, 0);
  put("pad_token", vocabulary.pad, -1);
  if (!vocabulary.chat_template.empty())
    config["chat_template"] = Json::parse(json_text(vocabulary.chat_template));
  return config;
}

}  // namespace nibble
