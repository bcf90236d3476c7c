#include "model/documents.h"

#include <array>
#include <optional>
#include <utility>

#include "base/csv_rows.h"
#include "base/files.h"
#include "base/json_rows.h"
#include "base/text.h"
#include "model/data_row.h"
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

std::string first_line(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

class Writer {
 public:
  explicit Writer(const fs::path& model) : model_(model) {}

  std::string document_of(const Json& value) {
    const DataRow row = read_data_row(value);
    if (row.messages.is_null()) return joined_text(row);
    find_template();
    if (!template_) return joined_text(row);
    Conversation written;
    written.messages = row.messages;
    written.tools = row.tools;
    written.add_generation_prompt = false;
    written.special_tokens = template_->special_tokens;
    return with_context("the chat template refuses the row",
                        [&] { return template_->chat.render(written); });
  }

  const std::string& note() const { return note_; }

 private:
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

DataRows::DataRows(std::string_view text) {
  if (JsonRows::recognise(text))
    json_.emplace(text);
  else
    table_.emplace(text);
}

std::optional<JsonRow> DataRows::next() { return json_ ? json_->next() : table_->next(); }

void LeftOut::add(std::size_t line, const Error& why) {
  if (++count_ > kNamedRows) return;
  const std::string_view what = why.what();
  named_ += cat(count_ == 1 ? "line " : "; line ", line, ": ", what.substr(0, what.find('\n')));
}

void LeftOut::refuse_nothing(std::size_t rows, std::string_view fix) const {
  if (rows != count_) return;
  throw Error(
      ErrorKind::kCorruptFile,
      rows == 0 ? std::string("the data set holds no rows") : cat(named_, "; ", kExpected),
      fix.empty() ? "give the text that key, for example:  jq -c '{text: .content}' FILE" : fix);
}

std::string LeftOut::note(std::size_t rows) const {
  if (count_ == 0) return {};
  return cat(count_, " of ", rows, " rows have no text and are left out: ", named_,
             count_ > kNamedRows ? "; …" : "");
}

Documents read_documents(std::string_view text, const fs::path& model, std::size_t enough_bytes) {
  DataRows rows(text);
  Writer writer(model);
  Documents documents;
  LeftOut left_out;
  std::size_t count = 0;
  while (documents.text.size() < enough_bytes) {
    const auto row = rows.next();
    if (!row) break;
    ++count;
    try {
      const std::string document = writer.document_of(row->value);
      if (count - left_out.count() > 1) documents.text += kBetweenDocuments;
      documents.text += document;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kInterrupted) throw;
      left_out.add(row->line, error);
    }
  }
  left_out.refuse_nothing(count);
  if (left_out.count() > 0) documents.notes.push_back(left_out.note(count));
  if (!writer.note().empty()) documents.notes.push_back(writer.note());
  return documents;
}

}  // namespace nibble
