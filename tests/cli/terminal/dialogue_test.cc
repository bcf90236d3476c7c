// nibble chat at a terminal: what keys do.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "model/open_tokenizer.h"
#include "support/paths.h"
#include "support/pseudo_terminal.h"
#include "support/temp_dir.h"

namespace nibble::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPasteBegin = "\33[200~";
constexpr const char* kPasteEnd = "\33[201~";
constexpr const char* kCtrlC = "\3";
constexpr const char* kCtrlD = "\4";
constexpr const char* kUp = "\33[A";
constexpr const char* kLeft = "\33[D";

class Dialogue : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::copy(std::string(kSourceFolder) + "/assets/demo", model(), fs::copy_options::recursive);
    std::ofstream(model() / "chat_template.jinja")
        << "{% for m in messages %}{{ m.content }}{% endfor %}";
  }

  fs::path model() const { return folder_ / "model"; }
  fs::path history() const { return folder_ / "state" / "nibble" / "chat_history"; }

  // A dialogue whose answers have at most so many tokens.
  PseudoTerminal chat(const std::vector<std::string>& options = {}, int most_tokens = 4) const {
    std::vector<std::string> command = {kProgram,
                                        "chat",
                                        model().string(),
                                        "--temp",
                                        "0",
                                        "-v",
                                        "-n",
                                        std::to_string(most_tokens),
                                        "--compute",
                                        "f32"};
    command.insert(command.end(), options.begin(), options.end());
    return PseudoTerminal(command, {{"TERM", "xterm"},
                                    {"HOME", folder_.path().string()},
                                    {"XDG_STATE_HOME", (folder_ / "state").string()},
                                    {"LC_ALL", "C"}});
  }

  std::string kept() const {
    std::ifstream file(history());
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  std::size_t tokens(const std::string& text) const {
    return open_tokenizer(model())
        ->encode(text, {.add_special = false, .parse_special = true})
        .size();
  }

 private:
  TempDir folder_;
};

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST_F(Dialogue, ArrowKeysEditTheLine) {
  PseudoTerminal terminal = chat();
  terminal.wait_for("> ");
  terminal.type(std::string("Once upon a tie") + kLeft + "m\r");
  terminal.wait_for(", and the next");
  terminal.type(kCtrlD);
  EXPECT_EQ(terminal.exit_code(), 0);
  EXPECT_EQ(kept(), "Once upon a time\n");
}

TEST_F(Dialogue, CharactersOfManyBytesAreErasedWhole) {
  PseudoTerminal terminal = chat();
  terminal.wait_for("> ");
  terminal.type("日本é\177\177x\r");
  terminal.wait_for("computed");
  terminal.type(kCtrlD);
  EXPECT_EQ(terminal.exit_code(), 0);
  EXPECT_EQ(kept(), "日x\n");
}

TEST_F(Dialogue, LineOfSixThousandBytesArrivesWhole) {
  std::string line;
  while (line.size() < 6000) line += "one more word ";
  PseudoTerminal terminal = chat();
  terminal.wait_for("> ");
  terminal.type(line + "\r");
  terminal.wait_for("the conversation has " + std::to_string(tokens(line)) + " tokens");
  terminal.type(kCtrlD);
  EXPECT_EQ(terminal.exit_code(), 0);
}

TEST_F(Dialogue, PastedLinesAreOneMessage) {
  PseudoTerminal terminal = chat();
  terminal.wait_for("> ");
  terminal.type(std::string(kPasteBegin) + "one\rtwo\rthree\rfour\r" + kPasteEnd);
  terminal.wait_for("four");
  terminal.type("\r");
  terminal.wait_for(std::to_string(tokens("one\ntwo\nthree\nfour")) + " computed");
  terminal.type(kCtrlD);
  EXPECT_EQ(terminal.exit_code(), 0);
  EXPECT_EQ(count(terminal.shown(), "computed"), 1u);
  EXPECT_EQ(kept(), "one\\ntwo\\nthree\\nfour\n");
}

TEST_F(Dialogue, TerminalIsAskedToMarkPastesOnlyAtThePrompt) {
  PseudoTerminal terminal = chat();
  terminal.wait_for("\33[?2004h");
  terminal.type("Once\r");
  terminal.wait_for("\33[?2004l");
  terminal.wait_for("computed");
  terminal.wait_for("\33[?2004h");
  terminal.type(kCtrlD);
  terminal.wait_for("\33[?2004l");
  EXPECT_EQ(terminal.exit_code(), 0);
}

TEST_F(Dialogue, QuotesAndBackslashesHoldSeveralLines) {
  PseudoTerminal terminal = chat();
  terminal.wait_for("> ");
  terminal.type("\"\"\"one\rtwo\"\"\"\r");
  terminal.wait_for(std::to_string(tokens("one\ntwo")) + " computed");
  terminal.type("three\\\rfour\r");
  terminal.wait_for("computed");
  terminal.type("/bye\r");
  EXPECT_EQ(terminal.exit_code(), 0);
  EXPECT_EQ(kept(), "one\\ntwo\nthree\\nfour\n/bye\n");
}

TEST_F(Dialogue, CtrlCAtAnIdlePromptLeavesWithoutAnError) {
  PseudoTerminal terminal = chat();
  terminal.wait_for("> ");
  terminal.type(kCtrlC);
  EXPECT_EQ(terminal.exit_code(), 0);
  EXPECT_EQ(count(terminal.shown(), "error"), 0u);
  EXPECT_TRUE(terminal.shown().find("> \33[?2004l\r\n") != std::string::npos) << terminal.shown();
}

TEST_F(Dialogue, CtrlCLeavesATerminalThatCannotDrawWithoutAnError) {
  PseudoTerminal terminal({kProgram, "chat", model().string()}, {{"TERM", "dumb"}});
  terminal.wait_for("> ");
  terminal.type(kCtrlC);
  EXPECT_EQ(terminal.exit_code(), 0);
  EXPECT_EQ(count(terminal.shown(), "error"), 0u);
}

TEST_F(Dialogue, CtrlCDropsWhatIsTyped) {
  PseudoTerminal terminal = chat();
  terminal.wait_for("> ");
  terminal.type("half");
  terminal.wait_for("half");
  terminal.type(kCtrlC);
  terminal.wait_for("> ");
  terminal.type("/exit\r");
  EXPECT_EQ(terminal.exit_code(), 0);
  EXPECT_EQ(kept(), "/exit\n");
}

TEST_F(Dialogue, CtrlCEndsAnAnswerAndTheDialogueGoesOn) {
  PseudoTerminal terminal = chat({"--threads", "1"}, -1);
  terminal.wait_for("> ");
  terminal.type("Once upon a time\r");
  terminal.wait_for(", and");
  terminal.type(kCtrlC);
  terminal.wait_for("the answer was interrupted");
  terminal.wait_for("> ");
  terminal.type("/exit\r");
  EXPECT_EQ(terminal.exit_code(), 0);
}

TEST_F(Dialogue, KeysTypedDuringAnAnswerWaitForThePrompt) {
  PseudoTerminal terminal = chat({"--threads", "1"}, 200);
  terminal.wait_for("> ");
  terminal.type("Once upon a time\r");
  terminal.wait_for(", and");
  terminal.type(std::string("QZ") + kLeft + "X");
  const std::string answer = terminal.wait_for("> ");
  EXPECT_EQ(answer.find("QZ"), std::string::npos);
  EXPECT_EQ(answer.find("^["), std::string::npos);
  terminal.type("\r");
  terminal.wait_for("computed");
  terminal.type(kCtrlD);
  EXPECT_EQ(terminal.exit_code(), 0);
  EXPECT_EQ(kept(), "Once upon a time\nQXZ\n");
}

TEST_F(Dialogue, UpArrowBringsBackWhatWasTypedInAnEarlierDialogue) {
  {
    PseudoTerminal terminal = chat();
    terminal.wait_for("> ");
    terminal.type("Once upon a time\r");
    terminal.wait_for("computed");
    terminal.type(kCtrlD);
    EXPECT_EQ(terminal.exit_code(), 0);
  }
  EXPECT_EQ(fs::status(history()).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  PseudoTerminal terminal = chat();
  terminal.wait_for("> ");
  terminal.type(std::string(kUp) + "\r");
  terminal.wait_for(", and the next");
  terminal.type(kCtrlD);
  EXPECT_EQ(terminal.exit_code(), 0);
}

TEST_F(Dialogue, NoHistoryKeepsNothing) {
  PseudoTerminal terminal = chat({"--no-history"});
  terminal.wait_for("> ");
  terminal.type("Once\r");
  terminal.wait_for("computed");
  terminal.type(kCtrlD);
  EXPECT_EQ(terminal.exit_code(), 0);
  EXPECT_FALSE(fs::exists(history()));
}

TEST_F(Dialogue, HelpNamesEveryWayToLeave) {
  PseudoTerminal terminal = chat();
  terminal.wait_for("> ");
  terminal.type("/help\r");
  const std::string help = terminal.wait_for("> ");
  for (const char* word :
       {"/clear", "/system", "/help", "/exit", "/quit", "/bye", "\"\"\"", "Ctrl-C"})
    EXPECT_NE(count(help, word), 0u) << word;
  terminal.type("/quit\r");
  EXPECT_EQ(terminal.exit_code(), 0);
}

TEST_F(Dialogue, TerminalIsGivenBackAsItWas) {
  PseudoTerminal terminal = chat();
  terminal.wait_for("> ");
  EXPECT_EQ(terminal.settings().c_lflag & ECHO, 0u);
  terminal.type("/exit\r");
  EXPECT_EQ(terminal.exit_code(), 0);
  EXPECT_NE(terminal.settings().c_lflag & ECHO, 0u);
  EXPECT_NE(terminal.settings().c_lflag & ICANON, 0u);
}

}  // namespace
}  // namespace nibble::test
