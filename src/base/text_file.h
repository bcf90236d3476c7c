// A text that a user gives, as UTF-8. Bytes become text here and nowhere else.
//
// A byte-order mark is dropped; UTF-16 that begins with one is turned into UTF-8; everything else
// must be well-formed UTF-8 from its first byte to its last. Line ends stay as they are.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/files.h"

namespace nibble {

class TextFile {
 public:
  // A file, a pipe, or "-" for stdin. Throws kNotFound; kUnsupported for a folder and for files
  // that are no text, named for what they are; kCorruptFile with line and byte where the text is
  // not well-formed; kInvalidArgument when a pipe gives more than 1 GiB.
  // `waiting` is called once when a pipe gives nothing for two seconds.
  explicit TextFile(const fs::path& path, const std::function<void()>& waiting = {});
  TextFile(const TextFile&) = delete;
  TextFile& operator=(const TextFile&) = delete;

  std::string_view text() const { return text_; }
  // The path, or "stdin": for messages.
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  MappedFile file_;      // of a regular file
  std::string decoded_;  // of a pipe, and of UTF-16
  std::string_view text_;
};

// The same for texts of at most 1 GiB.
std::string read_text(const fs::path& path, const std::function<void()>& waiting = {});

}  // namespace nibble
