#include "base/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/no_signals.h"
#include "nibble/error.h"

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

std::atomic<int> thread_count = 0;  // 0: nobody has said

// Whether this thread runs tiles of a loop. What these call on all threads runs on this one alone:
// the others are busy with the loop around it, and its end would wait for itself.
thread_local bool inside_loop = false;

// Threads that wait for a loop to help with. They look for one busily for some microseconds, as
// long as the pause between two layers of a model, then sleep. A loop does not wait for helpers
// that have not come by its end, so a busy machine does not hold it up.
class Pool {
 public:
  explicit Pool(int helpers) {
    for (int i = 0; i < helpers; ++i) threads_.emplace_back([this] { help(); });
  }
  ~Pool() {
    stopping_ = true;
    ++loops_;
    loops_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // For one caller at a time.
  void run(std::size_t count, const std::function<void(std::size_t)>& work) {
    work_ = &work;
    count_ = count;
    next_ = 0;
    failed_ = false;
    failure_ = nullptr;
    door_.fetch_or(kOpen);
    ++loops_;
    loops_.notify_all();
    inside_loop = true;
    take_tiles();
    inside_loop = false;
    std::uint32_t inside = door_.fetch_and(~kOpen) & ~kOpen;
    for (int spin = 0; inside != 0; inside = door_.load())
      if (++spin > kSpins)
        door_.wait(inside);
      else
        std::this_thread::yield();
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  static constexpr std::uint32_t kOpen = 1u << 31;  // the other bits count helpers inside
  static constexpr int kSpins = 1000;               // some 200 microseconds

  void help() {
    const NoSignals no_signals;  // they are the program's, which may know nothing of these threads
    inside_loop = true;
    std::uint32_t seen = 0;
    for (;;) {
      for (int spin = 0; loops_.load() == seen; ++spin)
        if (spin > kSpins)
          loops_.wait(seen);
        else
          std::this_thread::yield();
      seen = loops_.load();
      if (stopping_) return;
      if ((door_.fetch_add(1) & kOpen) != 0) take_tiles();
      if (door_.fetch_sub(1) == 1) door_.notify_one();  // the last one out of a closed loop
    }
  }

  void take_tiles() {
    for (std::size_t i = next_++; i < count_ && !failed_; i = next_++) {
      try {
        (*work_)(i);
      } catch (...) {
        const std::lock_guard lock(failure_mutex_);
        if (!failure_) failure_ = std::current_exception();
        failed_ = true;
      }
    }
  }

  std::atomic<std::uint32_t> loops_ = 0, door_ = 0;
  std::atomic<bool> stopping_ = false, failed_ = false;
  const std::function<void(std::size_t)>* work_ = nullptr;
  std::size_t count_ = 0;
  std::atomic<std::size_t> next_ = 0;
  std::mutex failure_mutex_;
  std::exception_ptr failure_;
  std::vector<std::thread> threads_;
};

// Held by the thread whose loop the pool runs, and while the pool changes: callers take turns.
std::mutex turn;
std::unique_ptr<Pool> pool;

}  // namespace

int available_threads() {
  cpu_set_t mask;
  int count = 1;
  if (sched_getaffinity(0, sizeof(mask), &mask) == 0) count = CPU_COUNT(&mask);
  if (const int quota = cgroup_cpus(); quota > 0) count = std::min(count, quota);
  return std::max(1, count);
}

void set_threads(int count) {
  if (inside_loop)
    throw Error(ErrorKind::kInvalidArgument, "set_threads was called inside a parallel loop",
                "set the number of threads before the loop begins");
  const int wanted = count > 0 ? count : available_threads();
  const std::lock_guard lock(turn);
  if (wanted == thread_count) return;
  pool.reset();
  thread_count = wanted;
}

int threads() {
  if (thread_count == 0) {
    int unsaid = 0;
    thread_count.compare_exchange_strong(unsaid, available_threads());
  }
  return thread_count;
}

void parallel_for(std::size_t count, const std::function<void(std::size_t)>& work) {
  // One tile: waking the others would cost more than most tiles.
  if (count <= 1 || inside_loop || threads() == 1) {
    for (std::size_t i = 0; i < count; ++i) work(i);
    return;
  }
  const std::lock_guard lock(turn);
  if (pool == nullptr) pool = std::make_unique<Pool>(threads() - 1);
  pool->run(count, work);
}

void parallel_ranges(std::size_t count, std::size_t grain,
                     const std::function<void(std::size_t, std::size_t)>& work) {
  grain = std::max<std::size_t>(1, grain);
  parallel_for((count + grain - 1) / grain,
               [&](std::size_t tile) { work(tile * grain, std::min(count, (tile + 1) * grain)); });
}

}  // namespace nibble
