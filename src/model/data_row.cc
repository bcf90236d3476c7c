#include "model/data_row.h"

#include <utility>
#include <vector>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::string_view kBetween = "\n\n";

// Leaves the row out.
[[noreturn]] void unusable(const std::string& why) { throw Error(ErrorKind::kUnsupported, why); }

const Json* member(const Json& row, const char* key) {
  const auto found = row.find(key);
  return found == row.end() || found->is_null() ? nullptr : &*found;
}

std::string text_at(const Json& row, const char* key) {
  const Json* value = member(row, key);
  if (value == nullptr) unusable(cat("\"", key, "\" is missing or null"));
  if (!value->is_string())
    unusable(cat("\"", key, "\" is of type ", value->type_name(), ", no text"));
  return value->get<std::string>();
}

Json said(const char* role, std::string content) {
  return {{"role", role}, {"content", std::move(content)}};
}

// A turn as ShareGPT has it: {"from": "human", "value": …}.
Json turn_of(const Json& turn) {
  const std::string from = text_at(turn, "from");
  const char* role = from == "human" || from == "user"                           ? "user"
                     : from == "gpt" || from == "assistant" || from == "chatgpt" ? "assistant"
                     : from == "system"                                          ? "system"
                                                                                 : nullptr;
  if (role == nullptr) unusable(cat("a turn is from \"", from.substr(0, 40), "\""));
  return said(role, text_at(turn, "value"));
}

Json messages_of(const Json& turns, const char* key) {
  if (!turns.is_array() || turns.empty()) unusable(cat("\"", key, "\" is no list of messages"));
  Json messages = Json::array();
  for (const Json& turn : turns) {
    if (turn.is_object() && turn.contains("role"))
      messages.push_back(turn);
    else if (turn.is_object() && turn.contains("from"))
      messages.push_back(turn_of(turn));
    else
      unusable(cat("\"", key, "\" has an entry without \"role\" and \"content\""));
  }
  return messages;
}

// The text of a message, or of its parts that are texts.
std::string content_of(const Json& message) {
  const Json* content = member(message, "content");
  if (content == nullptr) return {};
  if (content->is_string()) return content->get<std::string>();
  std::string text;
  if (content->is_array())
    for (const Json& part : *content)
      if (part.is_object() && member(part, "text") != nullptr) text += text_at(part, "text");
  return text;
}

std::string keys_of(const Json& row) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : row.items()) {
    if (keys.size() == 8) {
      keys.emplace_back("…");
      break;
    }
    keys.push_back(cat("\"", key.substr(0, 40), "\""));
  }
  return keys.empty() ? "no keys" : cat("the keys ", join(keys, ", "));
}

// True when nothing but "prompt" can be what the row says.
bool has_only_a_prompt(const Json& row) {
  for (const auto& [key, value] : row.items())
    if (key != "prompt" && (value.is_string() || value.is_structured())) return false;
  return row.contains("prompt");
}

// A question and what answers it.
DataRow answered(std::string question, std::string answer) {
  DataRow row;
  row.messages = {said("user", std::move(question)), said("assistant", std::move(answer))};
  return row;
}

DataRow completed(const Json& row) {
  const Json &prompt = row["prompt"], &completion = row["completion"];
  DataRow meant;
  if (!prompt.is_array() || !completion.is_array()) {
    meant.prompt = text_at(row, "prompt");
    meant.text = text_at(row, "completion");
    return meant;
  }
  meant.messages = messages_of(prompt, "prompt");
  for (const Json& message : messages_of(completion, "completion"))
    meant.messages.push_back(message);
  return meant;
}

DataRow plain(std::string text) {
  DataRow row;
  row.text = std::move(text);
  return row;
}

DataRow shape_of(const Json& row) {
  if (row.is_string()) return plain(row.get<std::string>());
  if (!row.is_object()) unusable(cat("a row of type ", row.type_name()));
  if (row.contains("text")) return plain(text_at(row, "text"));
  for (const char* key : {"messages", "conversations", "conversation"})
    if (const Json* turns = member(row, key)) {
      DataRow meant;
      meant.messages = messages_of(*turns, key);
      return meant;
    }
  if (row.contains("prompt") && row.contains("completion")) return completed(row);
  if (row.contains("instruction") && row.contains("output")) {
    const Json* input = member(row, "input");
    const std::string more = input == nullptr ? "" : text_at(row, "input");
    return answered(more.empty() ? text_at(row, "instruction")
                                 : cat(text_at(row, "instruction"), kBetween, more),
                    text_at(row, "output"));
  }
  if (row.contains("question") && row.contains("answer"))
    return answered(text_at(row, "question"), text_at(row, "answer"));
  if (has_only_a_prompt(row)) return plain(text_at(row, "prompt"));
  unusable(cat("a row with ", keys_of(row)));
}

}  // namespace

DataRow read_data_row(const Json& row) {
  DataRow meant = shape_of(row);
  if (!row.is_object()) return meant;
  if (const Json* tools = member(row, "tools"); tools != nullptr && tools->is_array())
    meant.tools = *tools;
  return meant;
}

std::string joined_text(const DataRow& row) {
  if (row.messages.is_null()) return row.prompt + row.text;
  std::string text;
  for (const Json& message : row.messages) {
    if (!text.empty()) text += kBetween;
    text += content_of(message);
  }
  return text;
}

}  // namespace nibble
