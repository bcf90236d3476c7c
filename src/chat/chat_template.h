// A model's chat template: conversation in, prompt out.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/json.h"

namespace nibble {

struct Conversation {
  Json messages;  // a list of {"role": …, "content": …}
  Json tools;     // null, or a list of tool descriptions
  bool add_generation_prompt = true;
  Json special_tokens;  // null, or an object: {"bos_token": "<s>", …}; what is absent is undefined
  Json extra;           // null, or an object: more variables; they win over special tokens
  std::int64_t now = 0;  // what strftime_now sees: seconds since 1970, in local time
};

// The part of the Jinja language that chat templates use, rendered as the transformers library
// renders it. Nothing outside the conversation can be reached, and the work is bounded.
class ChatTemplate {
 public:
  // Throws kCorruptFile naming the line, kUnsupported.
  static ChatTemplate parse(std::string_view text);
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  // Throws kCorruptFile for what the language forbids, kUnsupported when a limit is reached, and
  // kInvalidArgument when the template refuses the conversation.
  std::string render(const Conversation& conversation) const;

 private:
  struct Tree;
  explicit ChatTemplate(std::unique_ptr<Tree> tree);
  std::unique_ptr<Tree> tree_;
};

}  // namespace nibble
