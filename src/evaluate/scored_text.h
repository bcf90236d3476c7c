// A text as a model reads it under a protocol: its tokens and the windows to score.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "evaluate/protocol.h"
#include "nibble/evaluate.h"
#include "nibble/tokenizer.h"

namespace nibble {

struct ScoredText {
  Scope scope;
  std::vector<std::int32_t> ids;
  std::vector<Window> windows;
  std::optional<std::int32_t> bos;  // takes the place of each window's first token

  std::size_t window_tokens() const;  // all that pass through the model
  // The tokens of one window.
  std::vector<std::int32_t> window_ids(const Window& window) const;
};

// The protocol that is asked for, or the usual one of such a model. Throws kInvalidArgument for an
// unknown one and for a context that it does not read.
NamedProtocol protocol_of(const MeasureOptions& options, std::size_t model_context);

struct TextToScore {
  std::string text;
  std::string name;  // for messages
};

// A file, a pipe or "-" for stdin: prose, or rows of JSON (model/documents.h), for which `model` is
// asked for its chat template. Throws what TextFile and read_documents throw.
TextToScore read_text_to_score(const std::filesystem::path& file,
                               const std::filesystem::path& model, std::size_t model_context,
                               const MeasureOptions& options);

// `model_context`: positions the model was trained for; a longer window is warned of.
// Throws kInvalidArgument when the text is too short, with the tokens found and needed.
ScoredText make_scored_text(const Tokenizer& tokenizer, const TextToScore& read,
                            std::size_t model_context, const MeasureOptions& options);

}  // namespace nibble
