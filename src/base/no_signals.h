// Keeps handlers off a thread's stack while code runs that a handler would break.
#pragma once

#include <signal.h>

#include <initializer_list>

namespace nibble {

// While one exists its thread runs no handler of a signal that comes from outside; such a signal
// goes to another thread or waits. Faults of the thread's own (SIGSEGV, SIGBUS, …) still come.
class NoSignals {
 public:
  NoSignals() {
    sigset_t outside;
    sigfillset(&outside);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS})
      sigdelset(&outside, fault);
    pthread_sigmask(SIG_BLOCK, &outside, &before_);
  }
  ~NoSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;

 private:
  sigset_t before_ = {};
};

}  // namespace nibble
