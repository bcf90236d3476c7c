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

  Options options_;
  std::mutex mutex_;
  std::string job_;
  Clock::time_point started_, working_, printed_;  // working_: the last event with nothing done
  double printed_share_ = 0;
  std::size_t drawn_columns_ = 0;  // of the bar on screen
};

}  // namespace nibble::cli
