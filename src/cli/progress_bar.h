// Progress and log lines on stderr. On a terminal a bar that redraws itself, elsewhere plain lines.
#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <string_view>

#include "base/progress.h"

namespace nibble::cli {

class ProgressBar {
 public:
  struct Options {
    bool terminal = false;
    bool quiet = false;
  };
  explicit ProgressBar(Options options) : options_(options) {}
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void show(const ProgressEvent& event);
  // A line of text; a bar on screen moves below it.
  void line(std::string_view text);
  // Takes the bar off the screen.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  void draw(const ProgressEvent& event);
  void print_line(const ProgressEvent& event);
  std::string remaining(const ProgressEvent& event) const;
  double elapsed() const;

  Options options_;
  std::mutex mutex_;
  std::string job_;
  Clock::time_point started_, printed_;
  double printed_share_ = 0;
  bool drawn_ = false;
};

}  // namespace nibble::cli
