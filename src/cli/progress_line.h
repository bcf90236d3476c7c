// What a progress bar shows, fitted to a terminal's width.
#pragma once

#include <string>
#include <string_view>

namespace nibble::cli {

struct ProgressFigures {
  std::string_view job;    // "Quantizing"
  double share = 0;        // done, 0 to 1
  std::string remaining;   // "01:53", or empty while nobody knows
  std::string memory;      // "1.2 GiB"
  std::string_view label;  // what runs now; stands in for the time while that is unknown
};

// At most `columns` wide. Where that is little, memory and label go first, then the bar shrinks,
// then the job's name; the percentage and the time stay.
std::string progress_line(const ProgressFigures& figures, std::size_t columns);

// What takes a line of `drawn` columns off a terminal that is `columns` wide now: a narrower
// window has broken it into several.
std::string erase_line(std::size_t drawn, std::size_t columns);

}  // namespace nibble::cli
