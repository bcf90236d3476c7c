#include "chat/chat_template.h"

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "chat/interpreter.h"
#include "chat/parser.h"
#include "nibble/error.h"

namespace nibble {

struct ChatTemplate::Tree {
  chat::NodePtr root;
};

namespace {

chat::Value value_of(chat::Interpreter& run, const Json& json, int depth = 0) {
  if (depth > chat::kMaxDepth)
    throw Error(ErrorKind::kInvalidArgument,
                cat("the conversation is nested more than ", chat::kMaxDepth, " levels deep"));
  if (json.is_null()) return chat::None{};
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_float()) return json.get<double>();
  if (json.is_number_unsigned() && json.get<std::uint64_t>() > INT64_MAX) return json.get<double>();
  if (json.is_number()) return json.get<std::int64_t>();
  if (json.is_string()) {
    const auto& text = json.get_ref<const std::string&>();
    if (!is_valid_utf8(text))
      throw Error(ErrorKind::kInvalidArgument, "the conversation is not well-formed UTF-8");
    return run.text(text);
  }
  if (json.is_array()) {
    std::vector<chat::Value> items;
    for (const Json& item : json) items.push_back(value_of(run, item, depth + 1));
    return run.list(std::move(items));
  }
  std::vector<std::pair<chat::Value, chat::Value>> entries;
  for (const auto& [key, item] : json.items())
    entries.emplace_back(run.text(key), value_of(run, item, depth + 1));
  return run.mapping(std::move(entries));
}

// A message as templates see it: keys without a value are absent, and what the model thought has
// the names that templates of several ages look for.
Json seen_message(const Json& message) {
  if (!message.is_object())
    throw Error(ErrorKind::kInvalidArgument,
                cat("a message of the conversation is of type ", message.type_name(),
                    "; expected an object with \"role\" and \"content\""));
  Json seen = Json::object();
  for (const auto& [key, value] : message.items())
    if (!value.is_null()) seen[key] = value;
  for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
    const auto found = seen.find(name);
    if (found == seen.end()) continue;
    const Json reasoning = *found;
    Json named = {{"thinking", reasoning}};
    named.update(seen);
    named["reasoning_content"] = reasoning;
    return named;
  }
  return seen;
}

Json seen_messages(const Json& messages) {
  if (!messages.is_array()) return messages;
  Json seen = Json::array();
  for (const Json& message : messages) seen.push_back(seen_message(message));
  return seen;
}

}  // namespace

ChatTemplate::ChatTemplate(std::unique_ptr<Tree> tree) : tree_(std::move(tree)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

ChatTemplate ChatTemplate::parse(std::string_view text) {
  return ChatTemplate(std::make_unique<Tree>(Tree{chat::parse_template(text)}));
}

std::string ChatTemplate::render(const Conversation& conversation) const {
  chat::Interpreter run(conversation.now);
  // Of two variables with one name the first is found.
  run.set("messages", value_of(run, seen_messages(conversation.messages)));
  run.set("tools", value_of(run, conversation.tools));
  run.set("add_generation_prompt", conversation.add_generation_prompt);
  for (const Json* more : {&conversation.extra, &conversation.special_tokens})
    if (more->is_object())
      for (const auto& [key, item] : more->items()) run.set(run.known(key), value_of(run, item));
  run.set("documents", chat::None{});
  return run.run(*tree_->root);
}

}  // namespace nibble
