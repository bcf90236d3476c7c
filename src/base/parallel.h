// Loops over independent tiles on all threads. What a tile computes must not depend on which
// thread runs it: the same bytes come out for any number of threads.
//
// Any thread may call: there is one set of threads, and loops of several callers take turns, each
// from its first tile to its last. A loop inside a tile of another runs on the calling thread.
#pragma once

#include <cstddef>
#include <functional>

#include "nibble/process.h"

namespace nibble {

int available_threads();  // what set_threads(0) chooses

// Calls work(i) for 0 ≤ i < count, each exactly once, in any order, on all threads. The first
// Error thrown is rethrown here after all threads have stopped.
void parallel_for(std::size_t count, const std::function<void(std::size_t)>& work);

// Splits [0, count) into ranges of `grain` and calls work(begin, end) for each.
void parallel_ranges(std::size_t count, std::size_t grain,
                     const std::function<void(std::size_t, std::size_t)>& work);

}  // namespace nibble
