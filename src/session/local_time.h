// The time that templates write into prompts.
#pragma once

#include <cstdint>

namespace nibble {

// Seconds since 1970 as a clock on the wall shows them.
std::int64_t local_time();

}  // namespace nibble
