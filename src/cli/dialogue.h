// The conversation that stdin holds: messages that a person types, or one line for each turn.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "cli/command.h"
#include "nibble/error.h"
#include "session/chat_session.h"

namespace nibble::cli {

// Text as it comes, at once on stdout.
void print_piece(std::string_view piece);

std::string rates_text(const ChatAnswer& answer);

// Says what the text does not show: why it ends here.
void note_end(const ChatAnswer& answer, const Global& global, std::size_t context);

class Dialogue {
 public:
  struct Options {
    std::size_t context = 0;        // of the model
    std::filesystem::path history;  // of messages typed at a terminal; empty: none is kept
    std::string greeting;           // for a person
  };
  Dialogue(ChatSession& session, const Global& global, Options options)
      : session_(session), global_(global), options_(std::move(options)) {}

  void run();

 private:
  void run_typed();
  void run_lines();
  bool take(const std::string& message);  // false: leave
  bool obey(const std::string& message);
  void answer(const std::string& question);
  void complain(const Error& error) const;

  ChatSession& session_;
  const Global& global_;
  Options options_;
  bool interactive_ = false;
};

}  // namespace nibble::cli
