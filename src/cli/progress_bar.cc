#include "cli/progress_bar.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/memory.h"
#include "base/text.h"
#include "cli/messages.h"
#include "cli/progress_line.h"
#include "cli/terminal/columns.h"

namespace nibble::cli {
namespace {

constexpr double kRedrawSeconds = 0.1;
constexpr double kLineSeconds = 10;  // between plain lines, unless much was done meanwhile
constexpr double kLineShare = 0.05;
constexpr double kLineLeastSeconds = 2;  // a short job is not worth twenty lines

double seconds_since(std::chrono::steady_clock::time_point moment) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - moment).count();
}

double share_of(const ProgressEvent& event) {
  if (!(event.work_total > 0)) return 0;
  return std::clamp(event.work_done / event.work_total, 0.0, 1.0);
}

}  // namespace

std::string ProgressBar::remaining(const ProgressEvent& event) const {
  const double share = share_of(event);
  const double worked = seconds_since(working_);
  if (share <= 0 || worked < 0.5) return "";
  return human_seconds(worked * (1 - share) / share);
}

void ProgressBar::show(const ProgressEvent& event) {
  if (options_.quiet) return;
  const std::lock_guard lock(mutex_);
  const bool first = job_ != event.job;
  if (first) {
    clear();
    job_ = event.job;
    started_ = working_ = printed_ = Clock::now();
    printed_share_ = 0;
  }
  const double share = share_of(event);
  if (share <= 0) working_ = Clock::now();  // loading says nothing about the time that is left
  const double since = seconds_since(printed_);
  if (options_.terminal) {
    if (first || since >= kRedrawSeconds || share >= 1 || share <= 0) draw(event);
  } else if (since >= kLineSeconds ||
             (since >= kLineLeastSeconds && share >= printed_share_ + kLineShare)) {
    print_line(event);
  }
  if (share >= 1) {
    clear();
    job_.clear();
  }
}

void ProgressBar::draw(const ProgressEvent& event) {
  printed_ = Clock::now();
  const std::size_t columns = terminal_columns(STDERR_FILENO);
  const std::string text = progress_line({.job = event.job,
                                          .share = share_of(event),
                                          .remaining = remaining(event),
                                          .memory = human_bytes(memory_use().resident),
                                          .label = event.label},
                                         columns - 1);
  tell(fmt::format("\r{}\33[K{}", erase_line(drawn_columns_, columns), text));
  std::fflush(stderr);
  drawn_columns_ = columns_of(text);
}

void ProgressBar::print_line(const ProgressEvent& event) {
  printed_ = Clock::now();
  printed_share_ = share_of(event);
  const std::string left = remaining(event);
  tell(fmt::format("{}: {:.0f}%, {} passed, {}{} in memory  {}\n", event.job, printed_share_ * 100,
                   human_seconds(seconds_since(started_)), left.empty() ? "" : left + " left, ",
                   human_bytes(memory_use().resident), event.label));
}

void ProgressBar::line(std::string_view text) {
  if (options_.quiet) return;
  const std::lock_guard lock(mutex_);
  clear();
  tell(fmt::format("{}\n", text));
}

void ProgressBar::clear() {
  if (drawn_columns_ == 0) return;
  tell(erase_line(drawn_columns_, terminal_columns(STDERR_FILENO)));
  std::fflush(stderr);
  drawn_columns_ = 0;
}

}  // namespace nibble::cli
