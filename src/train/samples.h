// What a model learns from: token ids, and which of them it shall predict.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "model/source.h"
#include "nibble/tokenizer.h"

namespace nibble {

struct Sample {
  std::vector<std::int32_t> ids;
  std::vector<std::uint8_t>
      learnt;  // of each id: is it predicted from those before? never the first

  std::size_t trained_tokens() const;
};

struct SampleFile {
  std::vector<Sample> samples;
  std::vector<std::string> notes;  // rows left out, cut off, without anything to learn
  std::string hash;                // SHA-256 of all ids and of what is learnt
};

// Rows of a data set (model/documents.h), each a sample of at most `length` tokens:
//   conversations   in the model's chat template; what the assistant says is learnt, with the token
//                   that ends its turn
//   prompts         what completes them is learnt, with the token that ends texts
//   texts           all of it is learnt; longer ones become several samples
// Prose becomes samples of `length` tokens, one behind the other. A conversation or completion that
// is longer is cut off at its end.
// Throws what TextFile and read_documents throw; kInvalidArgument where nothing is left to learn.
SampleFile read_samples(const std::filesystem::path& file, const ModelSource& source,
                        const Tokenizer& tokenizer, std::size_t length);

}  // namespace nibble
