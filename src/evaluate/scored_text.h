// A text as a model reads it under a protocol: its tokens and the windows to score.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
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

// `model_context`: positions the model was trained for; a longer window is warned of.
// Throws kInvalidArgument when the text is too short, with the tokens found and needed.
ScoredText read_scored_text(const Tokenizer& tokenizer, const std::filesystem::path& file,
                            std::size_t model_context, const MeasureOptions& options);
// The same for a text at hand; `name` is for messages.
ScoredText make_scored_text(const Tokenizer& tokenizer, std::string_view text,
                            const std::string& name, std::size_t model_context,
                            const MeasureOptions& options);

}  // namespace nibble
