#include "model/stop_strings.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::size_t kMostStops = 64;
constexpr std::size_t kLongest = 4096;  // bytes

void check(const std::string& text) {
  if (text.empty()) throw Error(ErrorKind::kInvalidArgument, "a stop string is empty");
  if (text.size() > kLongest)
    throw Error(ErrorKind::kInvalidArgument, cat("a stop string has ", text.size(),
                                                 " bytes; at most ", kLongest, " are allowed"));
  if (!is_valid_utf8(text))
    throw Error(ErrorKind::kInvalidArgument, "a stop string is not well-formed UTF-8");
}

}  // namespace

StopStrings::StopStrings(const std::vector<std::string>& stops) {
  if (stops.size() > kMostStops)
    throw Error(ErrorKind::kInvalidArgument,
                cat(stops.size(), " stop strings; at most ", kMostStops, " are allowed"));
  for (const std::string& text : stops) {
    check(text);
    Stop stop{text, std::vector<std::size_t>(text.size()), 0};
    for (std::size_t i = 1, length = 0; i < text.size(); ++i) {
      while (length > 0 && text[i] != text[length]) length = stop.fallback[length - 1];
      if (text[i] == text[length]) ++length;
      stop.fallback[i] = length;
    }
    stops_.push_back(std::move(stop));
  }
}

std::string StopStrings::add(std::string_view piece) {
  std::string certain;
  if (found_) return certain;
  for (const char byte : piece) {
    held_ += byte;
    std::size_t complete = 0, begun = 0;
    for (Stop& stop : stops_) {
      while (stop.matched > 0 && stop.text[stop.matched] != byte)
        stop.matched = stop.fallback[stop.matched - 1];
      if (stop.text[stop.matched] == byte) ++stop.matched;
      if (stop.matched == stop.text.size())
        complete = std::max(complete, stop.matched);
      else
        begun = std::max(begun, stop.matched);
    }
    found_ = complete > 0;
    const std::size_t kept = found_ ? complete : begun;
    certain.append(held_, 0, held_.size() - kept);
    held_.erase(0, held_.size() - kept);
    if (found_) break;
  }
  return certain;
}

std::string StopStrings::finish() { return found_ ? std::string() : std::exchange(held_, {}); }

}  // namespace nibble
