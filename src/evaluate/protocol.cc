#include "evaluate/protocol.h"

#include <charconv>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::size_t kMaxNumber = std::size_t{1} << 20;

std::vector<std::string> known_names() {
  std::vector<std::string> names;
  for (const Protocol* protocol : protocols::all())
    names.push_back(cat(protocol->family, "-", protocol->letter));
  return names;
}

}  // namespace

std::string NamedProtocol::name() const { return cat(protocol->family, "-", number); }

std::vector<Window> adjacent_windows(std::size_t tokens, std::size_t length,
                                     std::size_t first_scored) {
  std::vector<Window> windows(tokens / length);
  for (std::size_t i = 0; i < windows.size(); ++i)
    windows[i] = {.first = i * length, .length = length, .first_scored = first_scored};
  return windows;
}

namespace protocols {

#define PROTOCOL(name) extern const Protocol name;
#include "evaluate/list.def"
#undef PROTOCOL

std::span<const Protocol* const> all() {
  static const Protocol* const list[] = {
#define PROTOCOL(name) &name,
#include "evaluate/list.def"
#undef PROTOCOL
  };
  return list;
}

NamedProtocol named(std::string_view name) {
  const auto dash = name.rfind('-');
  const std::string_view family = name.substr(0, dash);
  for (const Protocol* protocol : all()) {
    if (protocol->family != family || dash == name.npos) continue;
    const std::string_view digits = name.substr(dash + 1);
    std::size_t number = 0;
    const auto [end, problem] =
        std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (problem != std::errc() || end != digits.data() + digits.size() ||
        number < protocol->least_number || number > kMaxNumber)
      throw Error(ErrorKind::kInvalidArgument,
                  cat("protocol \"", name, "\": ", protocol->letter, " must be a number from ",
                      protocol->least_number, " to ", kMaxNumber),
                  cat("for example ", family, "-512"));
    return {protocol, number};
  }
  std::vector<std::string> examples;
  for (const Protocol* protocol : all()) examples.push_back(cat(protocol->family, "-512"));
  throw Error(ErrorKind::kInvalidArgument,
              cat("unknown protocol \"", name, "\"", did_you_mean(cat(family, "-512"), examples)),
              cat("one of: ", join(known_names(), ", ")));
}

}  // namespace protocols
}  // namespace nibble
