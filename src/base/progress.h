// Progress of a long job. Jobs report here; the command line decides how to show it.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "nibble/process.h"

namespace nibble {

// `work_done` and `work_total` are in the job's own unit (operations, tokens): time left follows
// from work, not from the number of items. `label` says what runs now.
struct ProgressEvent {
  std::string_view job;
  std::string_view label;
  double work_done = 0;
  double work_total = 0;
};
using ProgressSink = std::function<void(const ProgressEvent&)>;

// A line of information for people; empty sinks drop it.
using LogSink = std::function<void(std::string_view line)>;

// Long loops call this between steps. Throws kInterrupted after request_stop().
void throw_if_stopped();

}  // namespace nibble
