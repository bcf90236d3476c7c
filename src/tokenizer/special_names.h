// What tokenizer_config.json and special_tokens_map.json add to tokenizer.json: which tokens have a
// role, "bos_token" and the like.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"

namespace nibble::tokenizer {

struct SpecialNames {
  // {"bos_token", "<s>"}, …: the seven roles that every tokenizer may have, and those that this one
  // names ("image_token"). A role without a token is absent.
  std::vector<std::pair<std::string, std::string>> tokens;
  // The class rebuilds the post-processor from these two flags, whatever tokenizer.json says.
  bool rebuild = false;
  bool add_bos = true, add_eos = false;

  std::string token(std::string_view role) const;  // empty: not said
  void set(std::string_view role, std::string token);
  void remove(std::string_view role);
};

// `config`: tokenizer_config.json. `map`: special_tokens_map.json, an older file; it wins, except
// that a config with "added_tokens_decoder" needs none. Both may be null. `byte_level`:
// tokenizer.json works on bytes; then it is none of the Llama class, whatever the config says.
// Throws kCorruptFile.
SpecialNames read_special_names(const Json& config, const Json& map, bool byte_level = false);

// The same for the files of a folder, which may be absent.
SpecialNames read_special_names_in(const std::filesystem::path& folder);

}  // namespace nibble::tokenizer
