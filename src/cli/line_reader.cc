#include "cli/line_reader.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/progress.h"
#include "base/text.h"
#include "nibble/error.h"

namespace nibble::cli {
namespace {

constexpr std::size_t kLongest = 1 << 20;
// A signal mostly ends the wait at once; one that comes just before it is seen after this time.
constexpr int kWaitMilliseconds = 200;

}  // namespace

bool LineReader::read_more() {
  pollfd input = {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  while (poll(&input, 1, kWaitMilliseconds) <= 0) throw_if_stopped();
  std::array<char, 4096> part;
  const ssize_t count = read(STDIN_FILENO, part.data(), part.size());
  if (count < 0 && errno == EINTR) {
    throw_if_stopped();
    return true;
  }
  if (count < 0)
    throw Error(ErrorKind::kResource, cat("cannot read stdin: ", std::strerror(errno)));
  ahead_.append(part.data(), static_cast<std::size_t>(count));
  return count > 0;
}

std::optional<std::string> LineReader::next() {
  std::size_t searched = 0;
  bool ended = false;
  std::size_t end = ahead_.npos;
  while (!ended && (end = ahead_.find('\n', searched)) == ahead_.npos) {
    searched = ahead_.size();
    if (searched > kLongest)
      throw Error(ErrorKind::kInvalidArgument,
                  cat("a line on stdin is longer than ", human_bytes(kLongest)));
    ended = !read_more();
  }
  if (ended && ahead_.empty()) return std::nullopt;
  std::string line = ahead_.substr(0, end);
  ahead_.erase(0, end == ahead_.npos ? end : end + 1);
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

}  // namespace nibble::cli
