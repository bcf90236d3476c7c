// What a whole process has one of: threads for arithmetic, and the wish that long jobs end.
#pragma once

namespace nibble {

// How many threads a job uses. 0: as many as the affinity mask and the cgroup CPU quota allow,
// which is also the state before the first call. Results do not depend on it. Waits for arithmetic
// that runs in other threads; kInvalidArgument inside a loop of them.
void set_threads(int count);
int threads();

// Quantizing, measuring and generating end soon after this with kInterrupted, leaving no half
// output. May be called from any thread and from a signal handler.
void request_stop();
// For a program that goes on after what was stopped.
void forget_stop_request();

}  // namespace nibble
