// A trained tokenizer as the files that tokenizers, transformers and this program open.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "tokenizer/training/train_bpe.h"

namespace nibble::tokenizer {

// tokenizer.json, byte for byte as the `tokenizers` library (0.23) saves it: ByteLevel without a
// blank in front, special tokens among the added ones.
std::string tokenizer_json(const TrainedBpe& trained);

// Which special tokens have a role, "eos_token" and the like: those named here, the others by their
// usual names ("</s>", "<|endoftext|>", "<pad>").
struct TokenRoles {
  std::string bos{}, eos{}, unk{}, pad{};  // empty: none
};
// Throws kInvalidArgument for a named one that is not among the special tokens.
TokenRoles token_roles(const TrainedBpe& trained, const TokenRoles& named);

// tokenizer_config.json, for transformers' class of any tokenizer.json.
std::string tokenizer_config_json(const TokenRoles& roles);

}  // namespace nibble::tokenizer
