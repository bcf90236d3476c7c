// What was typed in earlier dialogues: a text file, one message a line, the newest last. A line
// end in a message is written \n, a backslash \\.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace nibble::cli {

class HistoryFile {
 public:
  static constexpr std::size_t kMostMessages = 1000;

  explicit HistoryFile(std::filesystem::path path) : path_(std::move(path)) {}

  // The newest kMostMessages; none without a file. A file that has grown to twice as many is cut.
  // Throws what reading and writing files throws.
  std::vector<std::string> load() const;

  // Adds to the end, so that dialogues beside each other lose nothing; only its owner may read the
  // file. Throws kResource.
  void append(std::string_view message) const;

 private:
  std::filesystem::path path_;
};

}  // namespace nibble::cli
