// A conversation with a model: messages, the prompt its template makes of them, and what of that
// prompt has been computed.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/find_chat_template.h"
#include "session/local_time.h"
#include "session/running_model.h"

namespace nibble {

struct ChatAnswer {
  Written written;
  std::size_t reused_tokens = 0;  // of the prompt, computed in earlier turns
  bool full = false;              // the context ended before the answer did
};

class ChatSession {
 public:
  using Clock = std::int64_t (*)();
  // `model` must outlive this. The token that ends a turn in the template ends answers too.
  // `clock`: the time for templates that write it into the prompt.
  ChatSession(const RunningModel& model, FoundChatTemplate chat, GenerateOptions options,
              StopStrings stops, Clock clock = local_time);

  void set_system(std::string text);  // empty: none. The conversation goes on.
  void clear();                       // a new conversation, with the same system message

  // Answers in the light of what was said before. `on_text` sees whole characters.
  // When it throws, the question is forgotten; except that of an interrupted answer (kInterrupted)
  // what came so far is remembered.
  ChatAnswer ask(const std::string& question,
                 const std::function<void(std::string_view)>& on_text = {});

 private:
  Json messages() const;
  std::string rendered(const Json& messages, bool add_generation_prompt) const;
  void learn_end_of_turn();
  std::vector<std::int32_t> prompt() const;
  // Keeps of the cache what `ids` begins with, all but one at most.
  void reuse(const std::vector<std::int32_t>& ids);
  void remember(const std::string& answer);

  const RunningModel* model_;
  FoundChatTemplate chat_;
  GenerateOptions options_;
  StopStrings stops_;
  Clock clock_;
  std::string system_;
  Json turns_ = Json::array();
  KvCache cache_;
  std::vector<std::int32_t> computed_;  // the ids whose keys and values are in the cache
};

}  // namespace nibble
