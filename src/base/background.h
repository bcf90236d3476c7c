// A value that is computed beside other work.
#pragma once

#include <functional>
#include <future>
#include <optional>
#include <stop_token>
#include <utility>

#include "base/no_signals.h"
#include "nibble/process.h"

namespace nibble {

// On a thread of its own, or, in a process that may use only one, when it is asked for. `work` ends
// soon after its token asks it to, as it does when the value is no longer wanted; what it throws is
// thrown by get().
template <typename T>
class Background {
 public:
  Background() = default;
  explicit Background(std::function<T(std::stop_token)> work) {
    const auto policy = threads() > 1 ? std::launch::async : std::launch::deferred;
    future_ = std::async(policy, [work = std::move(work), token = stop_.get_token()] {
      const NoSignals none;  // other threads run handlers
      return work(token);
    });
  }
  Background(Background&&) noexcept = default;
  Background& operator=(Background&&) noexcept = default;
  ~Background() { stop_.request_stop(); }  // then the future waits

  bool begun() const { return value_ || future_.valid(); }
  const T& get() {
    if (!value_) value_ = future_.get();
    return *value_;
  }

 private:
  std::stop_source stop_;
  std::future<T> future_;
  std::optional<T> value_;
};

}  // namespace nibble
