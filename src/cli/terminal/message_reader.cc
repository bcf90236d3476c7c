#include "cli/terminal/message_reader.h"

namespace nibble::cli {
namespace {

constexpr std::string_view kQuotes = "\"\"\"";
constexpr std::string_view kPrompt = "> ";
constexpr std::string_view kPromptInside = ". ";

// Removes white space at the end of `text`, then `ending`; false, and nothing, without it.
bool take_ending(std::string& text, std::string_view ending) {
  const std::size_t last = text.find_last_not_of(" \t\n");
  if (last == text.npos || !std::string_view(text).substr(0, last + 1).ends_with(ending))
    return false;
  text.resize(last + 1 - ending.size());
  return true;
}

}  // namespace

std::optional<std::string> MessageReader::quoted(std::string text) {
  while (!take_ending(text, kQuotes)) {
    const TypedLine line = ask_(kPromptInside);
    if (line.end == TypedLine::End::kInterrupt) return std::nullopt;
    if (line.end == TypedLine::End::kEndOfInput) return text;
    text += "\n" + line.text;
  }
  // The lines that hold nothing but quotes are no part of the message.
  if (text.starts_with('\n')) text.erase(0, 1);
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

std::optional<std::string> MessageReader::continued(std::string text) {
  while (text.ends_with('\\')) {
    text.back() = '\n';
    const TypedLine line = ask_(kPromptInside);
    if (line.end == TypedLine::End::kInterrupt) return std::nullopt;
    text += line.text;
  }
  return text;
}

std::optional<std::string> MessageReader::next() {
  while (true) {
    TypedLine line = ask_(kPrompt);
    const std::size_t begin = line.text.find_first_not_of(" \t\n");
    if (line.end == TypedLine::End::kEndOfInput) return std::nullopt;
    if (line.end == TypedLine::End::kInterrupt) {
      if (line.text.empty()) return std::nullopt;
      continue;
    }
    if (begin == line.text.npos) continue;
    const bool quotes = line.text.compare(begin, kQuotes.size(), kQuotes) == 0;
    auto message =
        quotes ? quoted(line.text.substr(begin + kQuotes.size())) : continued(std::move(line.text));
    if (message && message->find_first_not_of(" \t\n") != message->npos) return message;
  }
}

}  // namespace nibble::cli
