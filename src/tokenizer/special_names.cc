// Precedence of the two files, and what the classes of transformers do without being told.
#include "tokenizer/special_names.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/files.h"
#include "base/text.h"
#include "nibble/error.h"

namespace nibble::tokenizer {
namespace {

constexpr std::uint64_t kMaxConfigBytes = 16ull << 20;

constexpr std::array<std::string_view, 7> kRoles = {
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

constexpr std::string_view kLlama = "LlamaTokenizer", kCodeLlama = "CodeLlamaTokenizer",
                           kGemma = "GemmaTokenizer", kQwen = "Qwen2Tokenizer",
                           kGpt2 = "GPT2Tokenizer";

// Tokens that a class has when neither file names them.
struct ClassToken {
  std::string_view class_name, role, token;
};
constexpr std::array<ClassToken, 17> kClassTokens = {{
    {kLlama, "bos_token", "<s>"},
    {kLlama, "eos_token", "</s>"},
    {kLlama, "unk_token", "<unk>"},
    {kCodeLlama, "bos_token", "<s>"},
    {kCodeLlama, "eos_token", "</s>"},
    {kCodeLlama, "unk_token", "<unk>"},
    {kGemma, "bos_token", "<bos>"},
    {kGemma, "eos_token", "<eos>"},
    {kGemma, "unk_token", "<unk>"},
    {kGemma, "pad_token", "<pad>"},
    {kGemma, "mask_token", "<mask>"},
    {kQwen, "eos_token", "<|endoftext|>"},
    {kQwen, "unk_token", "<|endoftext|>"},
    {kQwen, "pad_token", "<|endoftext|>"},
    {kGpt2, "bos_token", "<|endoftext|>"},
    {kGpt2, "eos_token", "<|endoftext|>"},
    {kGpt2, "unk_token", "<|endoftext|>"},
}};

bool is_role(std::string_view key) {
  return std::find(kRoles.begin(), kRoles.end(), key) != kRoles.end();
}

// "<s>", or {"content": "<s>", …}; empty for null and for what is no token.
std::optional<std::string> token_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object() && value.contains("content")) return json_string(value, "content", "");
  return std::nullopt;
}

void read_roles(const Json& file, SpecialNames& names) {
  for (const std::string_view role : kRoles) {
    const auto found = file.find(role);
    if (found == file.end()) continue;
    if (auto token = token_of(*found))
      names.set(role, std::move(*token));
    else if (found->is_null())
      names.remove(role);
    else
      throw Error(ErrorKind::kCorruptFile,
                  cat("\"", role, "\" is ", found->type_name(),
                      "; expected a string or an object with \"content\""));
  }
}

// Keys such as "image_token", which some tokenizers have of their own.
bool is_own_role(std::string_view key) { return key.ends_with("_token") && !is_role(key); }

void read_own_roles(const Json& file, SpecialNames& names) {
  for (const auto& [key, value] : file.items()) {
    if (!is_own_role(key)) continue;
    if (auto token = token_of(value))
      names.set(key, std::move(*token));
    else
      names.remove(key);
  }
}

// The object under `key`; a list there has no names.
Json object_of(const Json& file, const char* key) {
  const auto found = file.find(key);
  return found != file.end() && found->is_object() ? *found : Json::object();
}

void read_named(const Json& roles, SpecialNames& names) {
  for (const auto& [role, value] : roles.items())
    if (auto token = token_of(value)) names.set(role, std::move(*token));
}

// Those of a config that the older file does not replace: "image_token": "<image>", but not
// "image_token": {"content": …}; "extra_special_tokens": {"image_token": "<image>"}.
Json lasting_roles(const Json& config) {
  Json roles = Json::object();
  for (const auto& [key, value] : config.items())
    if (is_own_role(key) && value.is_string()) roles[key] = value;
  roles.update(object_of(config, "extra_special_tokens"));
  // transformers 5 writes all of them here as well, and reads this where it has found no others.
  return roles.empty() ? object_of(config, "model_specific_special_tokens") : roles;
}

void check_object(const Json& file) {
  if (!file.is_null() && !file.is_object())
    throw Error(ErrorKind::kCorruptFile, "not a JSON object");
}

Json read_if_there(const fs::path& file) {
  if (!fs::exists(file)) return {};
  Json json = read_json(file, kMaxConfigBytes);
  with_context(file.string(), [&] { check_object(json); });
  return json;
}

bool has_byte_level(const fs::path& tokenizer_json) {
  if (!fs::is_regular_file(tokenizer_json)) return false;
  const MappedFile file(tokenizer_json);
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()),
                              file.bytes().size());
  return text.find("\"ByteLevel\"") != text.npos;
}

}  // namespace

std::string SpecialNames::token(std::string_view role) const {
  for (const auto& [name, token] : tokens)
    if (name == role) return token;
  return {};
}

void SpecialNames::set(std::string_view role, std::string token) {
  for (auto& [name, held] : tokens)
    if (name == role) {
      held = std::move(token);
      return;
    }
  tokens.emplace_back(role, std::move(token));
}

void SpecialNames::remove(std::string_view role) {
  std::erase_if(tokens, [&](const auto& entry) { return entry.first == role; });
}

SpecialNames read_special_names(const Json& config, const Json& map, bool byte_level) {
  check_object(config);
  check_object(map);
  SpecialNames names;
  std::string name = json_string(config, "tokenizer_class", "");
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  if (!byte_level || name != kLlama)
    for (const ClassToken& own : kClassTokens)
      if (own.class_name == name) names.set(own.role, std::string(own.token));
  names.add_bos = json_bool(config, "add_bos_token", true);
  names.add_eos = json_bool(config, "add_eos_token", false);
  names.rebuild = (name == kLlama || name == kCodeLlama || name == kGemma) &&
                  (config.contains("add_bos_token") || config.contains("add_eos_token"));

  read_roles(config, names);
  read_own_roles(config, names);
  const bool has_map = !map.is_null() && !config.contains("added_tokens_decoder");
  if (has_map) {
    read_roles(map, names);
    read_own_roles(map, names);
  }
  read_named(lasting_roles(config), names);
  if (has_map) read_named(object_of(map, "extra_special_tokens"), names);
  return names;
}

SpecialNames read_special_names_in(const fs::path& folder) {
  const fs::path config = folder / "tokenizer_config.json";
  const fs::path map = folder / "special_tokens_map.json";
  const Json first = read_if_there(config), second = read_if_there(map);
  const bool bytes = has_byte_level(folder / "tokenizer.json");
  return with_context(fs::exists(config) ? config.string() : map.string(),
                      [&] { return read_special_names(first, second, bytes); });
}

}  // namespace nibble::tokenizer
