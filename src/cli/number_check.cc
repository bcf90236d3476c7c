#include "cli/number_check.h"

#include <fmt/format.h>

#include <charconv>

namespace nibble::cli {
namespace {

template <typename Number>
CLI::Validator between(std::string accepted, Number low, Number high) {
  return CLI::Validator(
      [=](std::string& text) -> std::string {
        Number value = 0;
        const char* end = text.data() + text.size();
        const auto parsed = std::from_chars(text.data(), end, value);
        if (parsed.ec == std::errc() && parsed.ptr == end && value >= low && value <= high)
          return {};
        return fmt::format("takes {}, not \"{}\"", accepted, text);
      },
      "");
}

}  // namespace

CLI::Validator whole_number(std::int64_t low, std::int64_t high) {
  constexpr std::int64_t kWorthNaming = std::int64_t{1} << 32;
  return between(high < kWorthNaming ? fmt::format("a whole number from {} to {}", low, high)
                                     : fmt::format("a whole number, {} or more", low),
                 low, high);
}

CLI::Validator number_from(double low, double high) {
  return between(fmt::format("a number from {} to {}", low, high), low, high);
}

}  // namespace nibble::cli
