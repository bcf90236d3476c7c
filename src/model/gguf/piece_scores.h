// Scores that make pieces merge in the order of a tokenizer.json's merges.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "nibble/tokenizer.h"
#include "tokenizer/tokenizer_file.h"

namespace nibble {

// For each of `count` ids: how many other pieces `file` makes before its first merge that makes
// this one; −1 for those that no merge makes.
std::vector<std::int32_t> merge_order(const tokenizer::TokenizerFile& file,
                                      const Tokenizer& tokenizer, std::size_t count);

// One score for each id; `types` are values of tokenizer.ggml.token_type. Pieces get 0, −1, −2, …
// in that order, then those that no merge makes, as files made from SentencePiece's models have it.
std::vector<float> piece_scores(std::span<const std::int32_t> order,
                                std::span<const std::int32_t> types);

}  // namespace nibble
