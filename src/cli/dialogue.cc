#include "cli/dialogue.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "base/text.h"
#include "cli/line_reader.h"
#include "cli/messages.h"
#include "cli/signals.h"
#include "cli/terminal/history_file.h"
#include "cli/terminal/line_editor.h"
#include "cli/terminal/message_reader.h"
#include "nibble/error.h"

namespace nibble::cli {
namespace {

constexpr std::string_view kHelp =
    "/clear               start a new conversation\n"
    "/system TEXT         set the system message; without TEXT: none\n"
    "/help, /?            this list\n"
    "/exit, /quit, /bye   leave (so do Ctrl-D and, where nothing is typed, Ctrl-C)\n"
    "\"\"\"                  begins a message of several lines; \"\"\" ends it\n"
    "\\                    at the end of a line: the message goes on in the next\n"
    "Up, Down, Ctrl-R     earlier messages; a pasted text is one message\n"
    "Ctrl-C               ends an answer, or drops what is typed\n";

constexpr std::string_view kLeave[] = {"/exit", "/quit", "/bye"};

// Drawing on a terminal that cannot move its cursor makes a mess.
bool can_draw() {
  const char* terminal = std::getenv("TERM");
  return terminal != nullptr && *terminal != '\0' && std::string_view(terminal) != "dumb";
}

}  // namespace

void print_piece(std::string_view piece) {
  fmt::print("{}", piece);
  std::fflush(stdout);
}

std::string rates_text(const ChatAnswer& answer) {
  const Written& written = answer.written;
  return fmt::format(
      "{} prompt tokens kept, {} computed, {:.1f} tokens/s; {} generated, {:.1f} tokens/s",
      answer.reused_tokens, written.prompt_tokens, written.prompt_rate(),
      written.generated.ids.size(), written.rate());
}

void note_end(const ChatAnswer& answer, const Global& global, std::size_t context) {
  if (answer.full)
    global.log(
        fmt::format("the context of {} tokens is full: the answer is cut off; /clear starts a "
                    "new conversation",
                    context));
  else if (!answer.written.generated.stopped)
    global.log(fmt::format("the answer is cut off after {} tokens; -n allows more",
                           answer.written.generated.ids.size()));
}

void Dialogue::run() {
  interactive_ = isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0;
  if (interactive_) global_.log(options_.greeting);
  interactive_&& can_draw() ? run_typed() : run_lines();
}

void Dialogue::run_typed() {
  LineEditor editor;
  std::optional<HistoryFile> history;
  const auto keep = [&](const auto& use) {
    try {
      if (history) use();
    } catch (const Error& error) {
      global_.detail(cat("earlier messages are not kept: ", error.what()));
      history.reset();
    }
  };
  if (!options_.history.empty()) history.emplace(options_.history);
  keep([&] {
    for (const std::string& message : history->load()) editor.remember(message);
  });
  MessageReader input([&](std::string_view prompt) { return editor.ask(prompt); });
  while (const auto message = input.next()) {
    editor.remember(*message);
    keep([&] { history->append(*message); });
    if (!take(*message)) return;
  }
}

void Dialogue::run_lines() {
  LineReader input;
  const auto next = [&]() -> std::optional<std::string> {
    try {
      return input.next();
    } catch (const Error& error) {  // a person who leaves by Ctrl-C made no mistake
      const bool leaves = error.kind() == ErrorKind::kInterrupted && interactive_;
      if (!leaves || !forget_interrupt()) throw;
      return std::nullopt;
    }
  };
  while (true) {
    if (interactive_) print_piece("> ");
    const auto line = next();
    if (!line) break;
    if (!take(*line)) return;
  }
  if (interactive_) print_piece("\n");
}

bool Dialogue::take(const std::string& message) {
  if (message.find_first_not_of(" \t\n") == message.npos) return true;
  if (message.starts_with('/')) return obey(message);
  answer(message);
  return true;
}

bool Dialogue::obey(const std::string& message) {
  const std::size_t end = std::min(message.find_first_of(" \n"), message.size());
  const std::string command = message.substr(0, end);
  const std::string rest = message.substr(std::min(end + 1, message.size()));
  for (const std::string_view word : kLeave)
    if (command == word) return false;
  if (command == "/clear") {
    session_.clear();
    global_.log("a new conversation");
  } else if (command == "/system") {
    session_.set_system(rest);
    global_.log(rest.empty() ? "no system message" : "the system message is set");
  } else if (command == "/help" || command == "/?") {
    print_piece(kHelp);
  } else if (message.find('\n') != message.npos) {
    answer(message);  // a pasted text may begin with a path or a comment
  } else {
    complain(Error(ErrorKind::kInvalidArgument, cat("unknown command ", command),
                   "/help lists the commands; a space in front makes it a question"));
  }
  return true;
}

void Dialogue::answer(const std::string& question) {
  try {
    const ChatAnswer answer = session_.ask(question, print_piece);
    print_piece("\n");
    note_end(answer, global_, options_.context);
    global_.detail(rates_text(answer));
    if (interactive_) forget_interrupt();  // that came too late for this answer
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kInterrupted) {
      if (!interactive_ || !forget_interrupt()) throw;
      print_piece("\n");
      global_.log("the answer was interrupted");
    } else {
      complain(error);
    }
  }
}

// A person corrects the line; a script must not go on as if nothing had happened.
void Dialogue::complain(const Error& error) const {
  if (!interactive_) throw error;
  tell(fmt::format("error: {}\n", error.what()));
}

}  // namespace nibble::cli
