// The chat template of a model, wherever the model keeps it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "chat/chat_template.h"

namespace nibble {

struct FoundChatTemplate {
  ChatTemplate chat;
  Json special_tokens;  // for Conversation::special_tokens
  std::string origin;   // file, and key where it has several, for messages
};

// `model`: a folder or a file of weights. In a folder: chat_template.jinja, else "chat_template" in
// tokenizer_config.json (a text, or the one named "default" in a list), else in
// chat_template.json, else what a GGUF file says. A GGUF file's own template comes first when the
// file itself is named: what lies beside it may belong to another model.
// Throws kNotFound when there is none, and what ChatTemplate::parse throws.
FoundChatTemplate find_chat_template(const std::filesystem::path& model);

// The text of the template that the folder's own files have, as it stands there; empty when there
// is none. Throws kCorruptFile, and kUnsupported for a list in which none is the default.
std::string chat_template_text(const std::filesystem::path& folder);

// The template `text`, read from `origin`, with the tokens of `model`.
FoundChatTemplate use_chat_template(std::string_view text, std::string origin,
                                    const std::filesystem::path& model);

}  // namespace nibble
