#include "cli/signals.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>

#include "base/progress.h"
#include "base/staged.h"
#include "cli/terminal/terminal_mode.h"

namespace nibble::cli {
namespace {

volatile sig_atomic_t stop_signal = 0;

void on_stop(int signal) {
  // Twice: the user does not want to wait. What is being written is removed here then, or what is
  // left of it where that has begun already.
  if (stop_signal != 0 && signal == SIGINT) {
    restore_terminal();
    remove_staged();
    _exit(128 + stop_signal);
  }
  if (stop_signal == 0) stop_signal = signal;
  request_stop();
}

// Ends as without a handler, but leaves nothing half-written.
void on_signal_that_ends(int signal) {
  restore_terminal();
  remove_staged();
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, nullptr);
  raise(signal);  // comes when this returns
}

void on_bus_error(int) {
  static constexpr char kText[] =
      "error: a model file became shorter while it was being read\n"
      "  why: another program is writing to it, or its disk went away\n"
      "  fix: wait until the file is complete, then run the command again\n";
  restore_terminal();
  [[maybe_unused]] const auto written = write(STDERR_FILENO, kText, sizeof(kText) - 1);
  remove_staged();
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
  struct sigaction hang_up = {};
  // nohup has it ignored.
  if (sigaction(SIGHUP, nullptr, &hang_up) == 0 && hang_up.sa_handler != SIG_IGN)
    install(SIGHUP, on_stop);
  install(SIGBUS, on_bus_error);
  // Writing says EFBIG then, as on a full disk.
  install(SIGXFSZ, SIG_IGN);
  // A parent may have left SIGPIPE ignored; `nibble … | head` then would go on writing.
  install(SIGPIPE, on_signal_that_ends);
  install(SIGXCPU, on_signal_that_ends);
}

void keep_standard_files_apart() {
  // Opened the wrong way round, so that reading and writing fail as on a closed file.
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (fcntl(descriptor, F_GETFD) == -1)
      open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

bool forget_interrupt() {
  if (stop_signal != SIGINT) return false;
  stop_signal = 0;
  forget_stop_request();
  return true;
}

int stop_exit_code() { return stop_signal == 0 ? 0 : 128 + static_cast<int>(stop_signal); }

}  // namespace nibble::cli
