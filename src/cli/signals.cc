#include "cli/signals.h"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>

#include "base/progress.h"
#include "cli/terminal/terminal_mode.h"

namespace nibble::cli {
namespace {

volatile sig_atomic_t stop_signal = 0;

void on_stop(int signal) {
  // Twice: the user does not want to wait. Files being written keep their name NAME.partial.
  if (stop_signal != 0 && signal == SIGINT) {
    restore_terminal();
    _exit(128 + signal);
  }
  stop_signal = signal;
  request_stop();
}

void on_bus_error(int) {
  static constexpr char kText[] =
      "error: a model file became shorter while it was being read\n"
      "  why: another program is writing to it, or its disk went away\n"
      "  fix: wait until the file is complete, then run the command again\n";
  restore_terminal();
  [[maybe_unused]] const auto written = write(STDERR_FILENO, kText, sizeof(kText) - 1);
  _exit(3);
}

void install(int signal, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(signal, &action, nullptr);
}

}  // namespace

void install_signal_handlers() {
  install(SIGINT, on_stop);
  install(SIGTERM, on_stop);
  install(SIGBUS, on_bus_error);
  // A parent may have left it ignored; `nibble … | head` then would go on writing.
  install(SIGPIPE, SIG_DFL);
}

bool forget_interrupt() {
  if (stop_signal != SIGINT) return false;
  stop_signal = 0;
  forget_stop_request();
  return true;
}

int stop_exit_code() { return stop_signal == 0 ? 0 : 128 + static_cast<int>(stop_signal); }

}  // namespace nibble::cli
