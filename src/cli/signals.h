// What the program does when it is told to stop, and when a mapped file shrinks under it.
#pragma once

namespace nibble::cli {

// SIGINT, SIGTERM and SIGHUP once: request_stop(). SIGINT twice: ends at once. SIGPIPE: ends
// quietly. SIGBUS: one line, exit code 3. SIGXFSZ: writing fails. Nothing half-written is left.
void install_signal_handlers();

// Where a standard file is closed (">&-"), the next file opened would take its number, and what is
// printed would land in it.
void keep_standard_files_apart();

// After one SIGINT: forgets it, so that the program goes on, and answers true.
bool forget_interrupt();

// 130, 143 or 129 after such a signal, else 0.
int stop_exit_code();

}  // namespace nibble::cli
