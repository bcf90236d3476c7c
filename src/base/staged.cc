#include "base/staged.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>

namespace nibble {
namespace {

enum State { kFree, kBeingFilled, kUsed };
struct Slot {
  std::atomic<int> state = kFree;
  char path[PATH_MAX];
};
// As many as the parts of a large model; beyond that, and for longer paths, nothing is remembered.
std::array<Slot, 256> slots;
static_assert(std::atomic<int>::is_always_lock_free);  // else not allowed in a signal handler

// As the kernel gives it: readdir() may allocate.
struct Entry {
  std::uint64_t inode;
  std::int64_t next;
  unsigned short bytes;
  unsigned char type;
  char name[1];
};

void remove_at(int folder, const char* name, int depth) noexcept {
  if (unlinkat(folder, name, 0) == 0 || (errno != EISDIR && errno != EPERM) || depth > 2) return;
  const int inside = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (inside < 0) return;
  alignas(Entry) char buffer[4096];
  for (bool removed = true; removed;) {
    removed = false;
    lseek(inside, 0, SEEK_SET);
    for (long count; (count = syscall(SYS_getdents64, inside, buffer, sizeof(buffer))) > 0;)
      for (long at = 0; at < count;) {
        const auto* entry = reinterpret_cast<const Entry*>(buffer + at);
        at += entry->bytes;
        const char* own = entry->name;
        if (std::strcmp(own, ".") == 0 || std::strcmp(own, "..") == 0) continue;
        if (std::strcmp(own, kStagedMark) == 0) continue;
        remove_at(inside, own, depth + 1);
        removed = true;
      }
    if (!removed) unlinkat(inside, kStagedMark, 0);
    if (unlinkat(folder, name, AT_REMOVEDIR) == 0) break;
    if (depth > 0) break;  // the folder above tries again
  }
  close(inside);
}

std::string absolute_text(const fs::path& path) {
  std::error_code ignored;
  return fs::absolute(path, ignored).string();
}

}  // namespace

void stage(const fs::path& path) {
  const std::string absolute = absolute_text(path);
  if (absolute.empty() || absolute.size() >= PATH_MAX) return;
  for (Slot& slot : slots) {
    int expected = kFree;
    if (!slot.state.compare_exchange_strong(expected, kBeingFilled)) continue;
    std::memcpy(slot.path, absolute.c_str(), absolute.size() + 1);
    slot.state = kUsed;
    return;
  }
}

void unstage(const fs::path& path) {
  const std::string absolute = absolute_text(path);
  for (Slot& slot : slots)
    if (slot.state == kUsed && absolute == slot.path) slot.state = kFree;
}

void remove_staged() noexcept {
  const int before = errno;
  for (Slot& slot : slots)
    if (slot.state == kUsed) remove_at(AT_FDCWD, slot.path, 0);
  errno = before;
}

}  // namespace nibble
