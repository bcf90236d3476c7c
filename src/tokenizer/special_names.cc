// The Llama classes of transformers build the post-processor again when a tokenizer is loaded.
#include "tokenizer/special_names.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "nibble/error.h"

namespace nibble::tokenizer {
namespace {

constexpr std::array<std::string_view, 6> kRebuilding = {
    "LlamaTokenizer",         "LlamaTokenizerFast", "CodeLlamaTokenizer",
    "CodeLlamaTokenizerFast", "GemmaTokenizer",     "GemmaTokenizerFast"};

// "bos_token": "<s>", or {"content": "<s>", …}.
std::string token_name(const Json& config, const char* key) {
  const auto found = config.find(key);
  if (found != config.end() && found->is_object()) return json_string(*found, "content", "");
  return json_string(config, key, "");
}

}  // namespace

SpecialNames read_special_names(const Json& config) {
  if (!config.is_object()) throw Error(ErrorKind::kCorruptFile, "not a JSON object");
  SpecialNames names;
  names.bos = token_name(config, "bos_token");
  names.eos = token_name(config, "eos_token");
  names.add_bos = json_bool(config, "add_bos_token", true);
  names.add_eos = json_bool(config, "add_eos_token", false);
  const std::string type = json_string(config, "tokenizer_class", "");
  names.rebuild = std::find(kRebuilding.begin(), kRebuilding.end(), type) != kRebuilding.end() &&
                  (config.contains("add_bos_token") || config.contains("add_eos_token"));
  return names;
}

}  // namespace nibble::tokenizer
