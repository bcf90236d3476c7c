#include "cli/terminal/history_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/files.h"
#include "base/text.h"
#include "nibble/error.h"

namespace nibble::cli {
namespace {

constexpr std::size_t kLongestMessage = 16 << 10;  // longer ones are not worth keeping
constexpr std::uint64_t kMaxBytes = std::uint64_t{4} * HistoryFile::kMostMessages * kLongestMessage;

std::string escaped(std::string_view message) {
  std::string line;
  for (const char c : message) {
    if (c == '\\')
      line += "\\\\";
    else if (c == '\n')
      line += "\\n";
    else
      line += c;
  }
  return line + "\n";
}

std::string unescaped(std::string_view line) {
  std::string message;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool escape = line[i] == '\\' && i + 1 < line.size();
    if (escape) ++i;
    message += escape && line[i] == 'n' ? '\n' : line[i];
  }
  return message;
}

}  // namespace

std::vector<std::string> HistoryFile::load() const {
  std::vector<std::string> messages;
  if (!fs::exists(path_)) return messages;
  const std::string text = read_file(path_, kMaxBytes);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin)
      messages.push_back(unescaped(std::string_view(text).substr(begin, end - begin)));
    begin = end + 1;
  }
  const bool grown = messages.size() >= 2 * kMostMessages;
  if (messages.size() > kMostMessages)
    messages.erase(messages.begin(), messages.end() - kMostMessages);
  if (grown) {
    std::string newest;
    for (const std::string& message : messages) newest += escaped(message);
    write_file(path_, newest);
    fs::permissions(path_, fs::perms::owner_read | fs::perms::owner_write);
  }
  return messages;
}

void HistoryFile::append(std::string_view message) const {
  if (message.size() > kLongestMessage) return;
  std::error_code ignored;
  if (fs::create_directories(path_.parent_path(), ignored))
    fs::permissions(path_.parent_path(), fs::perms::owner_all, ignored);
  const int file = open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  const std::string line = escaped(message);
  const bool written =
      file >= 0 && write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  const int problem = errno;
  if (file >= 0) close(file);
  if (!written)
    throw Error(ErrorKind::kResource,
                cat(path_.string(), ": cannot write: ", std::strerror(problem)));
}

}  // namespace nibble::cli
