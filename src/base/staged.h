// What is being written under a temporary name, so that it can be removed even where the program
// ends at once, from within a signal handler.
#pragma once

#include <filesystem>

namespace nibble {

namespace fs = std::filesystem;

// From now on remove_staged() removes this file or folder, until unstage() is called.
void stage(const fs::path& path);
void unstage(const fs::path& path);

// Removes them all; calls nothing that a signal handler may not call. The program must end then.
void remove_staged() noexcept;

}  // namespace nibble
