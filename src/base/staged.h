// What is being written under a temporary name, so that it can be removed even where the program
// ends at once, from within a signal handler.
#pragma once

#include <filesystem>

namespace nibble {

namespace fs = std::filesystem;

// A file in each folder that is being written, by which the next run knows what a killed one left.
// Whoever removes such a folder removes this last.
inline constexpr const char* kStagedMark = ".nibble-staged";

// Throws what AtomicFile(path) would because of the NAME.partial that lies there: kInvalidArgument
// unless a killed run left it, kResource while another one writes it.
void check_partial(const fs::path& path);

// Throws kInvalidArgument where an output would lie at a link that leads nowhere.
void refuse_dangling_link(const fs::path& path);

// From now on remove_staged() removes this file or folder, until unstage() is called.
void stage(const fs::path& path);
void unstage(const fs::path& path);

// Removes them all; calls nothing that a signal handler may not call. The program must end then.
void remove_staged() noexcept;

}  // namespace nibble
