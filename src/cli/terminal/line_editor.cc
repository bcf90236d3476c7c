// libedit edits and draws; reading keys and pasted texts is done here.
#include "cli/terminal/line_editor.h"

#include <histedit.h>
#include <langinfo.h>
#include <signal.h>
#include <unistd.h>

#include <clocale>
#include <cstdio>
#include <cstring>
#include <exception>

#include "base/text.h"
#include "cli/signals.h"
#include "cli/terminal/key_input.h"
#include "cli/terminal/terminal_mode.h"
#include "nibble/error.h"
#include "tokenizer/unicode.h"

namespace nibble::cli {
namespace {

constexpr int kRemembered = 1000;
constexpr const char* kPasteMarked = "\33[?2004h";
constexpr const char* kPasteUnmarked = "\33[?2004l";

volatile sig_atomic_t resized = 0, continued = 0;

std::wstring wide(std::string_view bytes) {
  const std::string text = tokenizer::lossy_utf8(bytes);
  std::wstring result;
  for (std::size_t i = 0; i < text.size();)
    result += static_cast<wchar_t>(tokenizer::next_character(text, i));
  return result;
}

std::string narrow(std::wstring_view text) {
  std::string result;
  for (const wchar_t c : text) append_utf8(result, static_cast<char32_t>(c));
  return result;
}

// libedit draws characters through the C library, whose "C" locale knows ASCII only.
void need_utf8() {
  std::setlocale(LC_CTYPE, "");
  if (std::strcmp(nl_langinfo(CODESET), "UTF-8") != 0) std::setlocale(LC_CTYPE, "C.UTF-8");
}

// Keys that libedit leaves unbound, or binds otherwise than other programs with a prompt.
constexpr const wchar_t* kBindings[][2] = {
    {L"\\e[200~", L"nibble-paste"},     {L"\\e[1~", L"ed-move-to-beg"},
    {L"\\e[H", L"ed-move-to-beg"},      {L"\\eOH", L"ed-move-to-beg"},
    {L"\\e[4~", L"ed-move-to-end"},     {L"\\e[F", L"ed-move-to-end"},
    {L"\\eOF", L"ed-move-to-end"},      {L"\\e[3~", L"ed-delete-next-char"},
    {L"\\e[1;5C", L"em-next-word"},     {L"\\e[1;5D", L"ed-prev-word"},
    {L"^R", L"em-inc-search-prev"},     {L"^W", L"ed-delete-prev-word"},
    {L"^D", L"nibble-leave-or-delete"},
};

}  // namespace

struct LineEditor::State {
  State() {
    need_utf8();
    editor = el_init("nibble", stdin, stdout, stderr);
    if (editor == nullptr)
      throw Error(ErrorKind::kResource, "the line editor cannot use this terminal",
                  "set TERM to what the terminal is, or to dumb");
    history = history_winit();
    HistEventW event;
    history_w(history, &event, H_SETSIZE, kRemembered);
    history_w(history, &event, H_SETUNIQUE, 1);
    el_wset(editor, EL_CLIENTDATA, this);
    el_wset(editor, EL_PROMPT, &State::prompt_of);
    el_wset(editor, EL_HIST, history_w, history);
    el_wset(editor, EL_GETCFN, &State::read_key);
    el_wset(editor, EL_EDITOR, L"emacs");
    el_wset(editor, EL_ADDFN, L"nibble-paste", L"Insert a pasted text", &State::insert_paste);
    el_wset(editor, EL_ADDFN, L"nibble-leave-or-delete", L"Leave, or delete a character",
            &State::leave_or_delete);
    for (const auto& [key, function] : kBindings) el_wset(editor, EL_BIND, key, function, nullptr);
    el_source(editor, nullptr);  // the user's own ~/.editrc
    struct sigaction action = {};
    action.sa_handler = [](int signal) { (signal == SIGWINCH ? resized : continued) = 1; };
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    sigaction(SIGWINCH, &action, nullptr);
    sigaction(SIGCONT, &action, nullptr);
  }
  ~State() {
    el_end(editor);
    history_wend(history);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  static State& of(EditLine* editor) {
    void* state = nullptr;
    el_wget(editor, EL_CLIENTDATA, &state);
    return *static_cast<State*>(state);
  }

  static wchar_t* prompt_of(EditLine* editor) { return of(editor).prompt.data(); }

  // Exceptions do not pass through libedit: they wait in `problem`.
  static int read_key(EditLine* editor, wchar_t* key) {
    State& state = of(editor);
    try {
      const auto next = state.input.next([&] { state.redraw_if_disturbed(); });
      if (next) *key = static_cast<wchar_t>(*next);
      return next ? 1 : 0;
    } catch (...) {
      state.problem = std::current_exception();
      state.left = state.typed();
      return -1;
    }
  }

  static unsigned char insert_paste(EditLine* editor, wint_t) {
    State& state = of(editor);
    try {
      std::wstring text = wide(state.input.paste());
      if (text.ends_with(L'\n')) text.pop_back();
      if (!text.empty() && el_winsertstr(editor, text.c_str()) != 0) return CC_ERROR;
      return CC_REFRESH;
    } catch (...) {
      state.problem = std::current_exception();
      state.left = state.typed();
      return CC_EOF;
    }
  }

  static unsigned char leave_or_delete(EditLine* editor, wint_t) {
    const LineInfoW* line = el_wline(editor);
    if (line->buffer == line->lastchar) return CC_EOF;
    if (line->cursor == line->lastchar) return CC_ERROR;
    el_cursor(editor, 1);
    el_wdeletestr(editor, 1);
    return CC_REFRESH;
  }

  void redraw_if_disturbed() {
    if (resized == 0 && continued == 0) return;
    if (continued != 0) {  // the shell has set its own modes meanwhile
      el_wset(editor, EL_PREP_TERM, 0);
      el_wset(editor, EL_PREP_TERM, 1);
      std::fputs(kPasteMarked, stdout);
    }
    resized = 0;
    continued = 0;
    el_resize(editor);
    el_wset(editor, EL_REFRESH);
  }

  std::string typed() const {
    const LineInfoW* line = el_wline(editor);
    return narrow({line->buffer, static_cast<std::size_t>(line->lastchar - line->buffer)});
  }

  QuietTerminal terminal;
  EditLine* editor = nullptr;
  HistoryW* history = nullptr;
  KeyInput input;
  std::wstring prompt;
  std::exception_ptr problem;
  std::string left;  // in the line when `problem` came
};

LineEditor::LineEditor() : state_(std::make_unique<State>()) {}
LineEditor::~LineEditor() = default;

TypedLine LineEditor::ask(std::string_view prompt) {
  State& state = *state_;
  state.prompt = wide(prompt);
  state.problem = nullptr;
  resized = 0;  // libedit looks at the size when it begins a line
  continued = 0;
  std::fputs(kPasteMarked, stdout);
  // libedit draws the prompt first and takes the keys from the terminal when it waits for one: what
  // is typed or pasted between the two would go through the terminal's own line of 4,095 bytes.
  el_wset(state.editor, EL_PREP_TERM, 1);
  int count = 0;
  const wchar_t* line = el_wgets(state.editor, &count);
  TypedLine result;
  if (line != nullptr && count > 0)
    result.text = narrow({line, static_cast<std::size_t>(count)});
  else
    result = {TypedLine::End::kEndOfInput, ""};
  std::fputs(kPasteUnmarked, stdout);
  if (result.end == TypedLine::End::kEndOfInput) std::fputc('\n', stdout);
  std::fflush(stdout);
  state.terminal.hush();
  if (state.problem != nullptr) {
    if (!forget_interrupt()) std::rethrow_exception(state.problem);
    result = {TypedLine::End::kInterrupt, state.left};
  }
  if (result.text.ends_with('\n')) result.text.pop_back();
  return result;
}

void LineEditor::remember(const std::string& text) {
  HistEventW event;
  history_w(state_->history, &event, H_ENTER, wide(text).c_str());
}

}  // namespace nibble::cli
