#include "support/pseudo_terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <stdexcept>

namespace nibble::test {
namespace {

constexpr auto kPatience = std::chrono::seconds(60);

}  // namespace

PseudoTerminal::PseudoTerminal(const std::vector<std::string>& command,
                               const std::map<std::string, std::string>& environment) {
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  winsize size = {.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
  program_ = forkpty(&terminal_, nullptr, nullptr, &size);
  if (program_ < 0) throw std::runtime_error("no pseudo-terminal");
  if (program_ == 0) {
    for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
    execv(words[0], words.data());
    _exit(127);
  }
  fcntl(terminal_, F_SETFL, O_NONBLOCK);
}

PseudoTerminal::~PseudoTerminal() {
  if (program_ > 0) {
    kill(program_, SIGKILL);
    waitpid(program_, nullptr, 0);
  }
  close(terminal_);
}

bool PseudoTerminal::read_some(int milliseconds) {
  pollfd output = {.fd = terminal_, .events = POLLIN, .revents = 0};
  if (poll(&output, 1, milliseconds) <= 0) return true;
  std::array<char, 4096> part;
  const ssize_t count = read(terminal_, part.data(), part.size());
  if (count > 0) shown_.append(part.data(), static_cast<std::size_t>(count));
  return count > 0;  // EIO: the program has left its terminal
}

void PseudoTerminal::type(const std::string& keys) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  for (std::size_t typed = 0; typed < keys.size();) {
    if (std::chrono::steady_clock::now() > end) throw std::runtime_error("nobody reads the keys");
    const ssize_t count = write(terminal_, keys.data() + typed, keys.size() - typed);
    if (count > 0) typed += static_cast<std::size_t>(count);
    read_some(count > 0 ? 0 : 20);  // a full screen blocks the program, which then reads no keys
  }
}

std::string PseudoTerminal::wait_for(const std::string& text) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  std::size_t found = 0;
  while ((found = shown_.find(text, seen_)) == std::string::npos) {
    if (!read_some(100) || std::chrono::steady_clock::now() > end)
      throw std::runtime_error("not seen: " + text + "\nshown: " + shown_.substr(seen_));
  }
  const std::string result = shown_.substr(seen_, found + text.size() - seen_);
  seen_ = found + text.size();
  return result;
}

int PseudoTerminal::exit_code() {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  int status = 0;
  while (waitpid(program_, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > end)
      throw std::runtime_error("it does not end; shown: " + shown_.substr(seen_));
    read_some(20);
  }
  program_ = -1;
  for (std::size_t before = 0; before != shown_.size();) {
    before = shown_.size();
    read_some(0);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

termios PseudoTerminal::settings() const {
  termios settings = {};
  tcgetattr(terminal_, &settings);
  return settings;
}

}  // namespace nibble::test
