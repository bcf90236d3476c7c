#include "cli/number_check.h"

#include <fmt/format.h>

#include <charconv>

namespace nibble::cli {
namespace {

template <typename Number>
CLI::Validator between(const char* kind, Number low, Number high) {
  return CLI::Validator(
      [=](std::string& text) -> std::string {
        Number value = 0;
        const char* end = text.data() + text.size();
        const auto parsed = std::from_chars(text.data(), end, value);
        if (parsed.ec == std::errc() && parsed.ptr == end && value >= low && value <= high)
          return {};
        return fmt::format("takes a {} from {} to {}, not \"{}\"", kind, low, high, text);
      },
      "");
}

}  // namespace

CLI::Validator whole_number(std::int64_t low, std::int64_t high) {
  return between("whole number", low, high);
}

CLI::Validator number_from(double low, double high) { return between("number", low, high); }

}  // namespace nibble::cli
