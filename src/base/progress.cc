// The stop flag: set from a signal handler, read between the steps of a job.
#include "base/progress.h"

#include <atomic>

#include "nibble/error.h"

namespace nibble {
namespace {

std::atomic<bool> stop_requested = false;
static_assert(std::atomic<bool>::is_always_lock_free);  // else not allowed in a signal handler

}  // namespace

void request_stop() { stop_requested.store(true, std::memory_order_relaxed); }

void throw_if_stopped() {
  if (stop_requested.load(std::memory_order_relaxed))
    throw Error(ErrorKind::kInterrupted, "stopped by a signal");
}

void forget_stop_request() { stop_requested.store(false, std::memory_order_relaxed); }

}  // namespace nibble
