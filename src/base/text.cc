#include "base/text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/utf8.h"

namespace nibble {
namespace {

// Letters added, left out, changed or swapped with their neighbour.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before, above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = std::exchange(above, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

// How many such changes a typing error makes; of a short word any two letters are another word.
std::size_t likely_changes(std::string_view name) {
  name.remove_prefix(std::min(name.find_first_not_of('-'), name.size()));
  return name.size() <= 4 ? 1 : std::max<std::size_t>(2, name.size() / 3);
}

}  // namespace

std::string join(std::span<const std::string> parts, std::string_view separator) {
  return fmt::format("{}", fmt::join(parts, separator));
}

std::string human_bytes(std::uint64_t bytes) {
  static constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string human_seconds(double seconds) {
  const long whole = std::lround(std::clamp(seconds, 0.0, 3.6e8));
  return whole < 3600 ? fmt::format("{:02}:{:02}", whole / 60, whole % 60)
                      : fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string nearest_name(std::string_view name, std::span<const std::string> known) {
  std::string best;
  std::size_t best_distance = likely_changes(name) + 1;
  best_distance = std::min(best_distance, name.size());  // something must be alike
  for (const std::string& candidate : known) {
    // Names out of files may be very long.
    if (candidate.size() >= name.size() + best_distance) continue;
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string> known) {
  const std::string near = nearest_name(word, known);
  return near.empty() ? "" : cat("; did you mean ", near, "?");
}

Error unknown_word(std::string_view what, std::string_view word, std::span<const std::string> known,
                   std::string_view more) {
  return Error(ErrorKind::kInvalidArgument,
               cat("unknown ", what, " \"", word, "\"", did_you_mean(word, known)),
               cat("one of: ", join(known, ", "), more));
}

bool is_valid_utf8(std::string_view bytes) { return well_formed_bytes(bytes) == bytes.size(); }

}  // namespace nibble
