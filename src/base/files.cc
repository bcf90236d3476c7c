#include "base/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/staged.h"
#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {

// Set while a file is partial, and never on a user's: on a plain file it means nothing to Linux. It
// comes with the file's creation, so that no moment is without it.
constexpr mode_t kPartialMark = S_ISVTX;

constexpr std::size_t kStep =
    64u << 20;  // bytes for one write call; the kernel's own limit is 2 GiB

[[noreturn]] void fail(const fs::path& path, std::string_view action, int code) {
  const bool absent = code == ENOENT || code == ENOTDIR || code == ELOOP || code == ENAMETOOLONG;
  throw Error(absent ? ErrorKind::kNotFound : ErrorKind::kResource,
              cat(path.string(), ": cannot ", action, ": ", std::strerror(code)));
}

std::uint64_t free_bytes(const fs::path& path) {
  struct statvfs disk {};
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (statvfs(folder.c_str(), &disk) != 0) return 0;
  return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
}

[[noreturn]] void fail_full(const fs::path& path, std::uint64_t needed) {
  const std::uint64_t left = free_bytes(path);
  throw Error(ErrorKind::kResource,
              cat(path.string(), ": the disk is full: ", needed, " bytes (", human_bytes(needed),
                  ") are needed, ", left, " (", human_bytes(left), ") are free"),
              "free some space or choose an output folder on another disk");
}

[[noreturn]] void fail_too_large(const fs::path& path) {
  throw Error(ErrorKind::kResource,
              cat(path.string(), ": cannot grow: a file may not be so large here"),
              "raise the limit (ulimit -f), or choose an output folder on another file system");
}

// Owns a descriptor while a file is being read.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int get() const { return number_; }

 private:
  int number_;
};

// Opens a regular file; a FIFO or device is refused before anything waits for it.
int open_regular(const fs::path& path, std::uint64_t& size) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) fail(path, "open the file", errno);
  struct stat status {};
  if (fstat(descriptor, &status) != 0) {
    const int code = errno;
    ::close(descriptor);
    fail(path, "examine the file", code);
  }
  if (!S_ISREG(status.st_mode)) {
    ::close(descriptor);
    throw Error(ErrorKind::kUnsupported,
                cat(path.string(), ": is ", S_ISDIR(status.st_mode) ? "a folder" : "a special file",
                    "; expected a regular file"));
  }
  size = static_cast<std::uint64_t>(status.st_size);
  return descriptor;
}

bool still_at(int descriptor, const fs::path& path) {
  struct stat opened {
  }, named{};
  return fstat(descriptor, &opened) == 0 && lstat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

[[noreturn]] void refuse_strange(const fs::path& partial) {
  throw Error(ErrorKind::kInvalidArgument,
              cat(partial.string(), ": is in the way: the output is written under this name until ",
                  "it is complete, and nothing tells that an earlier run left it there"),
              "move it away, or choose another output");
}

enum class Stale { kKeep, kRemove };

// A partial file that a killed run left behind, which the lock of a living one prevents, is kept
// or removed; any other is refused.
void handle_stale(const fs::path& partial, Stale what) {
  const Descriptor file(
      ::open(partial.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0) {
    if (errno == ENOENT) return;
    if (errno == EISDIR || errno == ELOOP || errno == ENXIO) refuse_strange(partial);
    fail(partial, "replace the partial file of an earlier run", errno);
  }
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0)
    throw Error(ErrorKind::kResource,
                cat(partial.string(), ": another process is writing this file now"),
                "wait until it has ended, or choose another output");
  struct stat status {};
  if (fstat(file.get(), &status) != 0) fail(partial, "examine the file", errno);
  if (!S_ISREG(status.st_mode) || (status.st_mode & kPartialMark) == 0) refuse_strange(partial);
  if (what == Stale::kRemove && still_at(file.get(), partial) && ::unlink(partial.c_str()) != 0 &&
      errno != ENOENT)
    fail(partial, "remove the partial file of an earlier run", errno);
}

int create_locked(const fs::path& partial) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    const int descriptor = ::open(
        partial.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666 | kPartialMark);
    if (descriptor < 0) {
      if (errno != EEXIST) fail(partial, "create the file", errno);
      handle_stale(partial, Stale::kRemove);
      continue;
    }
    // Between creation and lock another run may have taken the file for a stale one.
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0 && still_at(descriptor, partial))
      return descriptor;
    ::close(descriptor);
  }
  throw Error(ErrorKind::kResource, cat(partial.string(), ": another process keeps replacing it"));
}

}  // namespace

MappedFile::MappedFile(const fs::path& path) : path_(path) {
  std::uint64_t size = 0;
  const Descriptor file(open_regular(path, size));
  size_ = size;
  if (size_ == 0) return;
  void* address = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (address == MAP_FAILED) fail(path, "map the file into memory", errno);
  data_ = static_cast<const std::byte*>(address);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      path_(std::move(other.path_)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(path_, other.path_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::drop(std::span<const std::byte> part) const {
  if (part.empty()) return;
  NIBBLE_ASSERT(part.data() >= data_ && part.data() + part.size() <= data_ + size_);
  static const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  // Outwards to whole pages: a neighbour that shares one reads it from the file again.
  const auto first = static_cast<std::size_t>(part.data() - data_) / page * page;
  const auto last = static_cast<std::size_t>(part.data() + part.size() - data_);
  madvise(const_cast<std::byte*>(data_) + first, last - first, MADV_DONTNEED);
}

std::string read_file(const fs::path& path, std::uint64_t max_bytes) {
  std::uint64_t size = 0;
  const Descriptor file(open_regular(path, size));
  if (size > max_bytes)
    throw Error(
        ErrorKind::kCorruptFile,
        cat(path.string(), ": has ", size, " bytes; a file of this kind has at most ", max_bytes));
  std::string text(size, '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    const ssize_t count = ::read(file.get(), text.data() + filled, text.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(path, "read the file", errno);
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  text.resize(filled);
  return text;
}

AtomicFile::AtomicFile(fs::path path, std::uint64_t reserve_bytes)
    : path_(std::move(path)), partial_(path_.string() + ".partial") {
  descriptor_ = create_locked(partial_);
  stage(partial_);
  if (reserve_bytes == 0) return;
  int code = 0;
  do {
    code = fallocate(descriptor_, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(reserve_bytes)) == 0
               ? 0
               : errno;
  } while (code == EINTR);
  // File systems that cannot reserve are told apart from full ones by the free bytes alone.
  const bool full = code == ENOSPC || code == EDQUOT || code == EFBIG ||
                    (code != 0 && free_bytes(partial_) < reserve_bytes);
  if (!full) return;
  // A file system has a largest file of its own, which a full disk comes before.
  const bool too_large = code == EFBIG && free_bytes(partial_) >= reserve_bytes;
  ::close(descriptor_);
  ::unlink(partial_.c_str());
  unstage(partial_);
  if (too_large) fail_too_large(path_);
  fail_full(path_, reserve_bytes);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) {
    // While the lock is held nobody else can have made a new partial file of this name.
    if (!committed_) ::unlink(partial_.c_str());
    unstage(partial_);
    ::close(descriptor_);
  }
}

void AtomicFile::write(std::span<const std::byte> bytes) { write_at(position_, bytes); }

void AtomicFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void AtomicFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  NIBBLE_ASSERT(descriptor_ >= 0 && !committed_);
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(descriptor_, bytes.data(), std::min(bytes.size(), kStep),
                                   static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == ENOSPC || errno == EDQUOT)) fail_full(path_, bytes.size());
    if (count < 0 && errno == EFBIG) fail_too_large(path_);
    if (count < 0) fail(partial_, "write to the file", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
    position_ = std::max(position_, offset);
  }
}

void AtomicFile::commit() {
  NIBBLE_ASSERT(descriptor_ >= 0 && !committed_);
  // Gives back what was reserved beyond the last byte written.
  if (ftruncate(descriptor_, static_cast<off_t>(position_)) != 0)
    fail(partial_, "set the size of the file", errno);
  if (fsync(descriptor_) != 0) fail(partial_, "bring the file to the disk", errno);
  struct stat status {};
  if (fstat(descriptor_, &status) != 0 ||
      ((status.st_mode & kPartialMark) != 0 &&
       fchmod(descriptor_, status.st_mode & 07777 & ~kPartialMark) != 0))
    fail(partial_, "set the rights of the file", errno);
  if (::rename(partial_.c_str(), path_.c_str()) != 0) {
    const int code = errno;
    fail(path_, "rename the finished file", code);
  }
  unstage(partial_);
  committed_ = true;
  const int descriptor = std::exchange(descriptor_, -1);
  if (::close(descriptor) != 0) fail(path_, "close the file", errno);
  sync_folder(path_.has_parent_path() ? path_.parent_path() : fs::path("."));
}

void check_partial(const fs::path& path) { handle_stale(path.string() + ".partial", Stale::kKeep); }

void refuse_dangling_link(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_symlink(fs::symlink_status(path, ignored)) || fs::exists(path, ignored)) return;
  throw Error(ErrorKind::kInvalidArgument,
              cat(path.string(), ": is a link to ", fs::read_symlink(path, ignored).string(),
                  ", which is not there"),
              "remove the link, make what it leads to, or choose another output");
}

void write_file(const fs::path& path, std::string_view text) {
  AtomicFile file(path, text.size());
  file.write(text);
  file.commit();
}

void sync_folder(const fs::path& folder) {
  const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.get() < 0) fail(folder, "open the folder", errno);
  // Some network file systems cannot sync a folder and say so with EINVAL.
  if (fsync(opened.get()) != 0 && errno != EINVAL)
    fail(folder, "bring the folder to the disk", errno);
}

bool same_file(const fs::path& a, const fs::path& b) {
  struct stat first {
  }, second{};
  const bool has_first = ::stat(a.c_str(), &first) == 0;
  const bool has_second = ::stat(b.c_str(), &second) == 0;
  if (has_first && has_second)
    return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
  if (has_first != has_second) return false;
  std::error_code ignored;
  return fs::weakly_canonical(fs::absolute(a), ignored) ==
         fs::weakly_canonical(fs::absolute(b), ignored);
}

}  // namespace nibble
