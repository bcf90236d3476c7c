#include "cli/text_input.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/text_file.h"

namespace nibble::cli {

std::string with_piped_text(std::string prompt, const LogSink& log) {
  struct stat input = {};
  if (fstat(STDIN_FILENO, &input) != 0) return prompt;
  if (!S_ISFIFO(input.st_mode) && !S_ISREG(input.st_mode) && !S_ISSOCK(input.st_mode))
    return prompt;
  const std::string text = read_text("-", [&] {
    if (log) log("waiting for the text on stdin; < /dev/null if there is none");
  });
  if (text.find_first_not_of(" \t\r\n") == text.npos) return prompt;
  return std::move(prompt) + "\n\n" + text;
}

}  // namespace nibble::cli
