#include "checkpoint/gguf_parts.h"

#include <charconv>

#include "base/text.h"

namespace nibble {
namespace {

std::optional<std::uint32_t> five_digits(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.size() != 5 || failure != std::errc() || end != text.data() + 5) return std::nullopt;
  return value;
}

}  // namespace

std::optional<GgufPartName> parse_part_name(std::string_view file_name) {
  constexpr std::size_t kTail = std::string_view("-00001-of-00003.gguf").size();
  if (file_name.size() <= kTail) return std::nullopt;
  const std::string_view tail = file_name.substr(file_name.size() - kTail);
  const auto part = five_digits(tail.substr(1, 5)), parts = five_digits(tail.substr(10, 5));
  if (tail[0] != '-' || tail.substr(6, 4) != "-of-" || tail.substr(15) != ".gguf" || !part ||
      !parts || *part < 1 || *part > *parts)
    return std::nullopt;
  return GgufPartName{std::string(file_name.substr(0, file_name.size() - kTail)), *part, *parts};
}

std::string part_name(const GgufPartName& name) {
  return fmt::format("{}-{:05}-of-{:05}.gguf", name.stem, name.part, name.parts);
}

}  // namespace nibble
