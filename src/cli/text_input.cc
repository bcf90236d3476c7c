#include "cli/text_input.h"

#include <array>
#include <cstdio>

#include "base/files.h"
#include "base/progress.h"
#include "base/text.h"
#include "nibble/error.h"

namespace nibble::cli {
namespace {

constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 30;

std::string read_stdin() {
  std::string text;
  std::array<char, 1 << 16> part;
  while (const std::size_t count = std::fread(part.data(), 1, part.size(), stdin)) {
    throw_if_stopped();
    text.append(part.data(), count);
    if (text.size() > kMaxBytes)
      throw Error(ErrorKind::kInvalidArgument,
                  cat("stdin holds more than ", human_bytes(kMaxBytes)));
  }
  return text;
}

}  // namespace

std::string read_text(const std::string& file) {
  return file == "-" ? read_stdin() : read_file(file, kMaxBytes);
}

}  // namespace nibble::cli
