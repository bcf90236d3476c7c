// What the program does when it is told to stop, and when a mapped file shrinks under it.
#pragma once

namespace nibble::cli {

// SIGINT and SIGTERM once: request_stop(). SIGINT twice: ends at once. SIGPIPE: ends quietly.
// SIGBUS: one line, exit code 3.
void install_signal_handlers();

// After one SIGINT: forgets it, so that the program goes on, and answers true.
bool forget_interrupt();

// 130 or 143 after such a signal, else 0.
int stop_exit_code();

}  // namespace nibble::cli
