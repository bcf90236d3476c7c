#include "model/documents.h"

#include <array>
#include <optional>
#include <utility>

#include "base/csv_rows.h"
#include "base/files.h"
#include "base/json_rows.h"
#include "base/text.h"
#include "model/find_chat_template.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::string_view kBetweenDocuments = "\n\n";
constexpr std::string_view kExpected =
    "expected \"text\", \"messages\", \"conversations\" or \"prompt\" and \"completion\"";
// Of tables; without one of these a text with commas in its first line is a text.
constexpr std::array<std::string_view, 4> kColumns = {"text", "prompt", "instruction", "question"};
constexpr std::size_t kNamedRows = 3;  // in a note

// Leaves the row out.
[[noreturn]] void unusable(const std::string& why) { throw Error(ErrorKind::kUnsupported, why); }

std::string first_line(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

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

class Writer {
 public:
  explicit Writer(const fs::path& model) : model_(model) {}

  std::string document_of(const Json& row) {
    if (row.is_string()) return row.get<std::string>();
    if (!row.is_object()) unusable(cat("a row of type ", row.type_name()));
    if (row.contains("text")) return text_at(row, "text");
    for (const char* key : {"messages", "conversations", "conversation"})
      if (const Json* turns = member(row, key)) return conversation(messages_of(*turns, key), row);
    if (row.contains("prompt") && row.contains("completion")) return completed(row);
    if (row.contains("instruction") && row.contains("output")) {
      const Json* input = member(row, "input");
      const std::string more = input == nullptr ? "" : text_at(row, "input");
      return answered(more.empty() ? text_at(row, "instruction")
                                   : cat(text_at(row, "instruction"), kBetweenDocuments, more),
                      text_at(row, "output"));
    }
    if (row.contains("question") && row.contains("answer"))
      return answered(text_at(row, "question"), text_at(row, "answer"));
    if (has_only_a_prompt(row)) return text_at(row, "prompt");
    unusable(cat("a row with ", keys_of(row)));
  }

  const std::string& note() const { return note_; }

 private:
  std::string completed(const Json& row) {
    const Json &prompt = row["prompt"], &completion = row["completion"];
    if (!prompt.is_array() || !completion.is_array())
      return text_at(row, "prompt") + text_at(row, "completion");
    Json messages = messages_of(prompt, "prompt");
    for (const Json& message : messages_of(completion, "completion")) messages.push_back(message);
    return conversation(std::move(messages), row);
  }

  std::string answered(std::string question, std::string answer) {
    return conversation({said("user", std::move(question)), said("assistant", std::move(answer))},
                        Json::object());
  }

  std::string conversation(Json messages, const Json& row) {
    find_template();
    if (!template_) {
      std::string text;
      for (const Json& message : messages) {
        if (!text.empty()) text += kBetweenDocuments;
        text += content_of(message);
      }
      return text;
    }
    Conversation written;
    written.messages = std::move(messages);
    if (const Json* tools = member(row, "tools"); tools != nullptr && tools->is_array())
      written.tools = *tools;
    written.add_generation_prompt = false;
    written.special_tokens = template_->special_tokens;
    return with_context("the chat template refuses the row",
                        [&] { return template_->chat.render(written); });
  }

  void find_template() {
    if (std::exchange(looked_, true)) return;
    try {
      template_.emplace(find_chat_template(model_));
    } catch (const Error& error) {
      note_ = cat("conversations are joined as plain text: ", first_line(error.what()));
    }
  }

  const fs::path& model_;
  bool looked_ = false;
  std::optional<FoundChatTemplate> template_;
  std::string note_;
};

}  // namespace

std::string table_as_prose(const std::filesystem::path& file) {
  if (file.extension() != ".csv" && file.extension() != ".tsv") return {};
  std::string names;
  for (const std::string_view column : kColumns) names += cat(names.empty() ? "" : ", ", column);
  return cat("is read as prose, commas and all: its first line names none of the columns ", names);
}

bool holds_documents(std::string_view text) {
  return JsonRows::recognise(text) || CsvRows::recognise(text, kColumns);
}

Documents read_documents(std::string_view text, const fs::path& model, std::size_t enough_bytes) {
  std::optional<JsonRows> json;
  std::optional<CsvRows> table;
  if (JsonRows::recognise(text))
    json.emplace(text);
  else
    table.emplace(text);
  Writer writer(model);
  Documents documents;
  std::size_t count = 0, left_out = 0;
  std::string named;
  while (documents.text.size() < enough_bytes) {
    const auto row = json ? json->next() : table->next();
    if (!row) break;
    ++count;
    try {
      const std::string document = writer.document_of(row->value);
      if (count - left_out > 1) documents.text += kBetweenDocuments;
      documents.text += document;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kInterrupted) throw;
      if (++left_out <= kNamedRows)
        named +=
            cat(left_out == 1 ? "line " : "; line ", row->line, ": ", first_line(error.what()));
    }
  }
  if (count == left_out)
    throw Error(
        ErrorKind::kCorruptFile,
        count == 0 ? std::string("the data set holds no rows") : cat(named, "; ", kExpected),
        "give the text that key, for example:  jq -c '{text: .content}' FILE");
  if (left_out > 0)
    documents.notes.push_back(cat(left_out, " of ", count, " rows have no text and are left out: ",
                                  named, left_out > kNamedRows ? "; …" : ""));
  if (!writer.note().empty()) documents.notes.push_back(writer.note());
  return documents;
}

}  // namespace nibble
