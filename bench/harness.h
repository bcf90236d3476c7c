// Medians of repeated runs, for programs that answer one question each.
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

namespace nibble::bench {

struct Timing {
  double median_s = 0;
  double fastest_s = 0;
};

// Runs `work` once to warm up, then at least 5 times and for at least `seconds`.
template <typename Work>
Timing measure(double seconds, const Work& work) {
  using Clock = std::chrono::steady_clock;
  work();
  std::vector<double> runs;
  const auto start = Clock::now();
  for (auto now = start; runs.size() < 5 || now - start < std::chrono::duration<double>(seconds);) {
    work();
    const auto end = Clock::now();
    runs.push_back(std::chrono::duration<double>(end - now).count());
    now = end;
  }
  std::sort(runs.begin(), runs.end());
  return {runs[runs.size() / 2], runs.front()};
}

}  // namespace nibble::bench
