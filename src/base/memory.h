// How much memory the job may use, and how much it does use.
#pragma once

#include <cstdint>

namespace nibble {

// min(MemAvailable, cgroup limit - cgroup usage (v2, then v1), RLIMIT_AS - mapped); in bytes.
std::uint64_t available_memory();

struct MemoryUse {
  std::uint64_t resident = 0;       // bytes now (VmRSS)
  std::uint64_t anonymous = 0;      // bytes now that are not file pages (RssAnon)
  std::uint64_t peak_resident = 0;  // VmHWM: file pages included
};
MemoryUse memory_use();

// CPU seconds of this process, all threads.
double cpu_seconds();

}  // namespace nibble
