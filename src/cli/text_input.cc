#include "cli/text_input.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>

#include "base/files.h"
#include "base/progress.h"
#include "base/text.h"
#include "nibble/error.h"

namespace nibble::cli {
namespace {

constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 30;

constexpr int kWaitMilliseconds = 200;
constexpr int kWaitsBeforeNote = 10;

// `waiting` is called once when nothing has come for two seconds.
std::string read_stdin(const std::function<void()>& waiting = {}) {
  std::string text;
  std::array<char, 1 << 16> part;
  int waits = 0;
  while (true) {
    throw_if_stopped();
    pollfd input = {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    if (poll(&input, 1, kWaitMilliseconds) <= 0) {
      if (++waits == kWaitsBeforeNote && waiting && text.empty()) waiting();
      continue;
    }
    const ssize_t count = read(STDIN_FILENO, part.data(), part.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      throw Error(ErrorKind::kResource, cat("cannot read stdin: ", std::strerror(errno)));
    if (count == 0) return text;
    text.append(part.data(), static_cast<std::size_t>(count));
    if (text.size() > kMaxBytes)
      throw Error(ErrorKind::kInvalidArgument,
                  cat("stdin holds more than ", human_bytes(kMaxBytes)));
  }
}

}  // namespace

std::string read_text(const std::string& file) {
  return file == "-" ? read_stdin() : read_file(file, kMaxBytes);
}

std::string with_piped_text(std::string prompt, const LogSink& log) {
  struct stat input = {};
  if (fstat(STDIN_FILENO, &input) != 0) return prompt;
  if (!S_ISFIFO(input.st_mode) && !S_ISREG(input.st_mode) && !S_ISSOCK(input.st_mode))
    return prompt;
  const std::string text = read_stdin([&] {
    if (log) log("waiting for the text on stdin; < /dev/null if there is none");
  });
  if (text.find_first_not_of(" \t\r\n") == text.npos) return prompt;
  return std::move(prompt) + "\n\n" + text;
}

}  // namespace nibble::cli
