#include "cli/progress_line.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/terminal/columns.h"

namespace nibble::cli {
namespace {

constexpr std::size_t kWidestBar = 24, kNarrowestBar = 4;
constexpr std::size_t kShortestJob = 4;

std::string bar(double share, std::size_t width) {
  const auto full = static_cast<std::size_t>(share * static_cast<double>(width));
  return fmt::format("[{}{}] ", std::string(full, '#'), std::string(width - full, '.'));
}

// Appends while there is room.
void add(std::string& line, std::string_view text, std::size_t columns) {
  if (text.empty() || columns_of(line) + 2 + columns_of(text) > columns) return;
  line += "  ";
  line += text;
}

}  // namespace

std::string progress_line(const ProgressFigures& figures, std::size_t columns) {
  std::string core = fmt::format("{:.0f}%", figures.share * 100);
  if (!figures.remaining.empty()) core += " " + figures.remaining;
  if (core.size() >= columns) return std::string(cut_to_columns(core, columns));
  // What is left for "JOB [bar] " in front of it.
  const std::size_t room = columns - core.size();
  const std::size_t job = columns_of(figures.job);
  if (room < job + 1) {
    if (room <= kShortestJob) return core;
    return fmt::format("{}… {}", cut_to_columns(figures.job, room - 2), core);
  }
  const std::size_t around = job + 1 + 3;  // "JOB [", "] "
  const std::size_t width = std::min(kWidestBar, room > around ? room - around : 0);
  std::string line =
      fmt::format("{} {}{}", figures.job,
                  width >= kNarrowestBar ? bar(figures.share, width) : std::string(), core);
  if (!figures.remaining.empty() && columns_of(line) + 5 <= columns) line += " left";
  if (figures.remaining.empty()) add(line, figures.label, columns);
  add(line, figures.memory, columns);
  if (!figures.remaining.empty()) add(line, figures.label, columns);
  return line;
}

std::string erase_line(std::size_t drawn, std::size_t columns) {
  if (drawn == 0) return "";
  const std::size_t rows_above = columns == 0 ? 0 : (drawn - 1) / columns;
  if (rows_above == 0) return "\r\33[K";
  return fmt::format("\r\33[{}A\33[J", rows_above);
}

}  // namespace nibble::cli
