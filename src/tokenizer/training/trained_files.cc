#include "tokenizer/training/trained_files.h"

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <span>

#include "base/text.h"
#include "nibble/error.h"
#include "tokenizer/unicode.h"

namespace nibble::tokenizer {
namespace {

std::string quoted(const std::string& text) { return Json(text).dump(); }

// The lists are written by hand: a JSON tree of many tokens would be searched for each of them.
void append_vocabulary(const TrainedBpe& trained, std::string& text) {
  for (std::size_t id = 0; id < trained.tokens.size(); ++id)
    text += cat(id == 0 ? "{\n" : ",\n", "      ", quoted(trained.tokens[id]), ": ", id);
  text += "\n    }";
}

void append_merges(const TrainedBpe& trained, std::string& text) {
  const auto token = [&](std::int32_t id) {
    return quoted(trained.tokens[static_cast<std::size_t>(id)]);
  };
  text += "[";
  for (std::size_t i = 0; i < trained.merges.size(); ++i)
    text += cat(i == 0 ? "\n" : ",\n", "      [\n        ", token(trained.merges[i].first),
                ",\n        ", token(trained.merges[i].second), "\n      ]");
  text += trained.merges.empty() ? "]" : "\n    ]";
}

std::span<const std::string> special_tokens(const TrainedBpe& trained) {
  return {trained.tokens.data(), trained.special};
}

// `named`, or the first of the usual names that is a special token.
std::string role(const TrainedBpe& trained, const char* what, const std::string& named,
                 std::initializer_list<std::string> usual) {
  const auto special = special_tokens(trained);
  const auto is_special = [&](const std::string& token) {
    return std::find(special.begin(), special.end(), token) != special.end();
  };
  if (!named.empty() && !is_special(named))
    throw Error(ErrorKind::kInvalidArgument,
                cat("the ", what, " token \"", lossy_utf8(named), "\" is no special token"),
                "give it with --special too");
  if (!named.empty()) return named;
  const auto found = std::find_if(usual.begin(), usual.end(), is_special);
  return found == usual.end() ? std::string() : *found;
}

}  // namespace

std::string tokenizer_json(const TrainedBpe& trained) {
  Json added = Json::array();
  for (const std::string& token : special_tokens(trained))
    added.push_back({{"id", added.size()},
                     {"content", token},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  const auto byte_level = [](bool add_prefix_space) -> Json {
    return {{"type", "ByteLevel"},
            {"add_prefix_space", add_prefix_space},
            {"trim_offsets", true},
            {"use_regex", true}};
  };
  const Json head = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", added},
                     {"normalizer", nullptr},
                     {"pre_tokenizer", byte_level(false)},
                     {"post_processor", nullptr},
                     {"decoder", byte_level(true)},  // as the library's default has it; not read
                     {"model",
                      {{"type", "BPE"},
                       {"dropout", nullptr},
                       {"unk_token", nullptr},
                       {"continuing_subword_prefix", nullptr},
                       {"end_of_word_suffix", nullptr},
                       {"fuse_unk", false},
                       {"byte_fallback", false},
                       {"ignore_merges", false}}}};
  constexpr std::string_view kEnd = "\n  }\n}";  // of the model and the file
  std::string text = head.dump(2);
  text.resize(text.size() - kEnd.size());
  text += ",\n    \"vocab\": ";
  append_vocabulary(trained, text);
  text += ",\n    \"merges\": ";
  append_merges(trained, text);
  return text.append(kEnd);
}

TokenRoles token_roles(const TrainedBpe& trained, const TokenRoles& named) {
  return {
      .bos = role(trained, "BOS", named.bos, {"<s>", "<bos>", "<|begin_of_text|>", "[BOS]"}),
      .eos = role(trained, "EOS", named.eos,
                  {"</s>", "<eos>", "<|endoftext|>", "<|end_of_text|>", "[EOS]", "<|im_end|>"}),
      .unk = role(trained, "unknown", named.unk, {"<unk>", "[UNK]"}),
      .pad = role(trained, "padding", named.pad, {"<pad>", "<|pad|>", "[PAD]"}),
  };
}

std::string tokenizer_config_json(const TokenRoles& roles) {
  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                 {"clean_up_tokenization_spaces", false}};
  const auto add = [&](const char* key, const std::string& token) {
    if (!token.empty()) config[key] = token;
  };
  add("bos_token", roles.bos);
  add("eos_token", roles.eos);
  add("unk_token", roles.unk);
  add("pad_token", roles.pad);
  return config.dump(2) + "\n";
}

}  // namespace nibble::tokenizer
