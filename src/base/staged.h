// What is being written under a temporary name, so that it can be removed even where the program
// ends at once, from within a signal handler.
#pragma once

#include <filesystem>

namespace nibble {

namespace fs = std::filesystem;

// A file or folder that is removed by remove_staged() as long as this lives.
class Staged {
 public:
  Staged() = default;
  explicit Staged(const fs::path& path);
  Staged(const Staged&) = delete;
  Staged& operator=(const Staged&) = delete;
  ~Staged() { release(); }
  // From now on the path may stay.
  void release();

 private:
  int slot_ = -1;
};

// Removes them all; calls nothing that a signal handler may not call. The program must end then.
void remove_staged() noexcept;

}  // namespace nibble
