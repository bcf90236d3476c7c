// Loops over independent tiles on all threads. What a tile computes must not depend on which
// thread runs it: the same bytes come out for any number of threads.
#pragma once

#include <cstddef>
#include <functional>

namespace nibble {

// 0 = as many as the affinity mask and the cgroup CPU quota allow.
void set_threads(int count);
int threads();
int available_threads();

// Calls work(i) for 0 ≤ i < count, each exactly once, in any order, on all threads. The first
// Error thrown is rethrown here after all threads have stopped. Must not be nested.
void parallel_for(std::size_t count, const std::function<void(std::size_t)>& work);

// Splits [0, count) into ranges of `grain` and calls work(begin, end) for each.
void parallel_ranges(std::size_t count, std::size_t grain,
                     const std::function<void(std::size_t, std::size_t)>& work);

}  // namespace nibble
