// Learns the merges of a byte-level BPE tokenizer: the pair of neighbours that occurs most often
// becomes a token, again and again (Sennrich, Haddow and Birch 2016).
//
// Which tokens and merges come out, and in what order, is that of the `tokenizers` library: its
// BpeTrainer with ByteLevel's alphabet as initial_alphabet. Of pairs that occur equally often the
// one with the lower ids is first, left id before right id.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/progress.h"
#include "tokenizer/training/word_counts.h"

namespace nibble::tokenizer {

struct BpeTrainingOptions {
  std::size_t vocabulary_size = 0;     // special tokens and the 256 bytes among them
  std::uint64_t min_frequency = 0;     // of a pair that is merged
  std::vector<std::string> special{};  // the first ids, in this order
};

struct TrainedBpe {
  std::vector<std::string> tokens;  // by id: special ones, bytes, merged ones, as files spell them
  std::vector<std::pair<std::int32_t, std::int32_t>> merges;  // ids; the first is merged first
  std::size_t special = 0;                                    // that so many tokens are
  std::uint64_t text_tokens = 0;  // that the words of the text become, all occurrences counted
};

// Throws kInvalidArgument for a vocabulary that does not hold the bytes and special tokens, and for
// special tokens that are empty, no UTF-8 or given twice.
void check(const BpeTrainingOptions& options);

// Stops early where no pair is left that occurs often enough. Throws what check() throws,
// kInvalidArgument for `words` without a word, and kInterrupted.
TrainedBpe train_bpe(const WordCounts& words, const BpeTrainingOptions& options,
                     const ProgressSink& progress = {});

}  // namespace nibble::tokenizer
