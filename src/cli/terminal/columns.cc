#include "cli/terminal/columns.h"

#include <sys/ioctl.h>

#include <algorithm>

namespace nibble::cli {
namespace {

bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

}  // namespace

std::size_t terminal_columns(int descriptor) {
  winsize size = {};
  if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return kUnknownWidth;
}

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

std::string_view cut_to_columns(std::string_view text, std::size_t columns) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (begins_character(text[i]) && count++ == columns) return text.substr(0, i);
  return text;
}

std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  std::vector<std::string> lines(1);
  for (std::size_t begin = text.find_first_not_of(' '); begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    if (!lines.back().empty()) {
      if (columns_of(lines.back()) + 1 + columns_of(word) > width)
        lines.emplace_back();
      else
        lines.back() += ' ';
    }
    lines.back() += word;
    begin = text.find_first_not_of(' ', end);
  }
  return lines;
}

}  // namespace nibble::cli
