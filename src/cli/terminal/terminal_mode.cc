#include "cli/terminal/terminal_mode.h"

#include <unistd.h>

#include <atomic>
#include <string_view>

namespace nibble::cli {
namespace {

constexpr std::string_view kPasteUnmarked = "\33[?2004l";

termios found = {};
std::atomic<bool> changed = false;

}  // namespace

QuietTerminal::QuietTerminal() {
  if (tcgetattr(STDIN_FILENO, &found) != 0) return;
  active_ = true;
  changed = true;
  hush();
}

QuietTerminal::~QuietTerminal() {
  if (active_) restore_terminal();
}

void QuietTerminal::hush() const {
  if (!active_) return;
  termios quiet = found;
  quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON);
  quiet.c_cc[VMIN] = 1;
  quiet.c_cc[VTIME] = 0;
  tcsetattr(STDIN_FILENO, TCSADRAIN, &quiet);
}

void restore_terminal() noexcept {
  if (!changed.exchange(false)) return;
  [[maybe_unused]] const auto written =
      write(STDOUT_FILENO, kPasteUnmarked.data(), kPasteUnmarked.size());
  tcsetattr(STDIN_FILENO, TCSADRAIN, &found);
}

}  // namespace nibble::cli
