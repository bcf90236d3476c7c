#include "cli/terminal/key_input.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/progress.h"
#include "base/text.h"
#include "nibble/error.h"
#include "tokenizer/unicode.h"

namespace nibble::cli {
namespace {

constexpr std::size_t kLongestPaste = 1 << 20;
constexpr std::string_view kPasteEnd = "\33[201~";
// A signal mostly ends the wait at once; one that comes just before it is seen after this time.
constexpr int kWaitMilliseconds = 200;

}  // namespace

bool KeyInput::complete() const {
  return !ahead_.empty() && ahead_.size() >= tokenizer::character_bytes(ahead_[0]);
}

bool KeyInput::wait() const {
  throw_if_stopped();
  pollfd input = {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  const bool ready = poll(&input, 1, kWaitMilliseconds) > 0;
  throw_if_stopped();
  return ready;
}

bool KeyInput::read_more() {
  std::array<char, 4096> part;
  const ssize_t count = read(STDIN_FILENO, part.data(), part.size());
  if (count < 0 && errno == EINTR) return true;
  if (count < 0 && errno == EIO) return false;  // the terminal is gone
  if (count < 0)
    throw Error(ErrorKind::kResource, cat("cannot read stdin: ", std::strerror(errno)));
  ahead_.append(part.data(), static_cast<std::size_t>(count));
  return count > 0;
}

std::optional<char32_t> KeyInput::take() {
  if (ahead_.empty()) return std::nullopt;
  const std::size_t size = std::min(tokenizer::character_bytes(ahead_[0]), ahead_.size());
  const std::string bytes = ahead_.substr(0, size);
  const bool valid = is_valid_utf8(bytes);
  ahead_.erase(0, valid ? size : 1);
  std::size_t position = 0;
  return valid ? tokenizer::next_character(bytes, position) : char32_t{0xFFFD};
}

std::string KeyInput::paste() {
  std::size_t searched = 0;
  std::size_t end = ahead_.npos;
  while ((end = ahead_.find(kPasteEnd, searched)) == ahead_.npos) {
    searched = ahead_.size() - std::min(ahead_.size(), kPasteEnd.size());
    if (ahead_.size() > kLongestPaste)
      throw Error(ErrorKind::kInvalidArgument,
                  cat("the pasted text is longer than ", human_bytes(kLongestPaste)));
    if (wait() && !read_more()) break;
  }
  const std::string bytes = ahead_.substr(0, end);
  ahead_.erase(0, end == ahead_.npos ? end : end + kPasteEnd.size());
  return plain_paste(bytes);
}

std::string plain_paste(std::string_view bytes) {
  const std::string text = tokenizer::lossy_utf8(bytes);
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte == '\r') {  // terminals send it for each line's end, or before \n
      if (i + 1 == text.size() || text[i + 1] != '\n') plain += '\n';
    } else if (byte == '\n' || byte == '\t' || (byte >= 0x20 && byte != 0x7F)) {
      plain += text[i];
    }
  }
  return plain;
}

}  // namespace nibble::cli
