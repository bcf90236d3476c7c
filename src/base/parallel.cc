#include "base/parallel.h"

#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <fstream>
#include <mutex>
#include <string>

namespace nibble {
namespace {

// Whole CPUs that the cgroup lets this process use; 0 when there is no limit.
int cgroup_cpus() {
  if (std::ifstream file("/sys/fs/cgroup/cpu.max"); file) {
    std::string quota;
    double period = 0;
    if (file >> quota >> period && quota != "max" && period > 0)
      return std::max(1, static_cast<int>(std::ceil(std::atof(quota.c_str()) / period)));
  }
  std::ifstream quota_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  std::ifstream period_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  double quota = 0, period = 0;
  if (quota_file >> quota && period_file >> period && quota > 0 && period > 0)
    return std::max(1, static_cast<int>(std::ceil(quota / period)));
  return 0;
}

int thread_count = 0;

}  // namespace

int available_threads() {
  cpu_set_t mask;
  int count = 1;
  if (sched_getaffinity(0, sizeof(mask), &mask) == 0) count = CPU_COUNT(&mask);
  if (const int quota = cgroup_cpus(); quota > 0) count = std::min(count, quota);
  return std::max(1, count);
}

void set_threads(int count) {
  thread_count = count > 0 ? count : available_threads();
  omp_set_num_threads(thread_count);
}

int threads() {
  if (thread_count == 0) set_threads(0);
  return thread_count;
}

void parallel_for(std::size_t count, const std::function<void(std::size_t)>& work) {
  if (count <= 1) {  // waking the other threads would cost more than most tiles
    if (count == 1) work(0);
    return;
  }
  std::exception_ptr failure;
  std::mutex failure_mutex;
  std::atomic<bool> failed = false;
#pragma omp parallel for schedule(dynamic) num_threads(threads())
  for (std::size_t i = 0; i < count; ++i) {
    if (failed.load(std::memory_order_relaxed)) continue;
    try {
      work(i);
    } catch (...) {
      const std::lock_guard lock(failure_mutex);
      if (!failure) failure = std::current_exception();
      failed = true;
    }
  }
  if (failure) std::rethrow_exception(failure);
}

void parallel_ranges(std::size_t count, std::size_t grain,
                     const std::function<void(std::size_t, std::size_t)>& work) {
  grain = std::max<std::size_t>(1, grain);
  parallel_for((count + grain - 1) / grain,
               [&](std::size_t tile) { work(tile * grain, std::min(count, (tile + 1) * grain)); });
}

}  // namespace nibble
