#include "cli/progress_bar.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/memory.h"
#include "base/text.h"

namespace nibble::cli {
namespace {

constexpr double kRedrawSeconds = 0.1;
constexpr double kLineSeconds = 10;  // between plain lines, unless much was done meanwhile
constexpr double kLineShare = 0.05;
constexpr double kLineLeastSeconds = 2;  // a short job is not worth twenty lines
constexpr std::size_t kBarWidth = 24;

double seconds_since(std::chrono::steady_clock::time_point moment) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - moment).count();
}

double share_of(const ProgressEvent& event) {
  if (!(event.work_total > 0)) return 0;
  return std::clamp(event.work_done / event.work_total, 0.0, 1.0);
}

std::size_t terminal_width() {
  winsize size = {};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

}  // namespace

double ProgressBar::elapsed() const { return seconds_since(started_); }

std::string ProgressBar::remaining(const ProgressEvent& event) const {
  const double share = share_of(event);
  if (share <= 0 || elapsed() < 0.5) return "";
  return human_seconds(elapsed() * (1 - share) / share) + " left";
}

void ProgressBar::show(const ProgressEvent& event) {
  if (options_.quiet) return;
  const std::lock_guard lock(mutex_);
  const bool first = job_ != event.job;
  if (first) {
    clear();
    job_ = event.job;
    started_ = printed_ = Clock::now();
    printed_share_ = 0;
  }
  const double share = share_of(event);
  const double since = seconds_since(printed_);
  if (options_.terminal) {
    if (first || since >= kRedrawSeconds || share >= 1) draw(event);
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
  const double share = share_of(event);
  const auto full = static_cast<std::size_t>(share * kBarWidth);
  std::string text =
      fmt::format("{} [{}{}] {:3.0f}%  {}  {}  {}", event.job, std::string(full, '#'),
                  std::string(kBarWidth - full, '.'), share * 100, remaining(event),
                  human_bytes(memory_use().resident), event.label);
  text.resize(std::min(text.size(), terminal_width() - 1));
  fmt::print(stderr, "\r\33[K{}", text);
  std::fflush(stderr);
  drawn_ = true;
}

void ProgressBar::print_line(const ProgressEvent& event) {
  printed_ = Clock::now();
  printed_share_ = share_of(event);
  fmt::print(stderr, "{}: {:.0f}%, {} passed, {}, {} in memory  {}\n", event.job,
             printed_share_ * 100, human_seconds(elapsed()), remaining(event),
             human_bytes(memory_use().resident), event.label);
}

void ProgressBar::line(std::string_view text) {
  if (options_.quiet) return;
  const std::lock_guard lock(mutex_);
  clear();
  fmt::print(stderr, "{}\n", text);
}

void ProgressBar::clear() {
  if (!drawn_) return;
  fmt::print(stderr, "\r\33[K");
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace nibble::cli
