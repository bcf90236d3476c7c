// Files: mapped for reading, atomic for writing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace nibble {

namespace fs = std::filesystem;

// A regular file mapped read-only. Empty files are allowed.
class MappedFile {
 public:
  MappedFile() = default;
  // Throws kNotFound, kUnsupported (not a regular file) or kResource.
  explicit MappedFile(const fs::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const fs::path& path() const { return path_; }
  // Tells the kernel that this part is not needed any more (its pages may leave memory).
  void drop(std::span<const std::byte> part) const;

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  fs::path path_;
};

// The whole of a regular file, refused above `max_bytes`.
std::string read_file(const fs::path& path, std::uint64_t max_bytes);

// Writes NAME.partial beside `path`; commit() syncs it and renames it to `path`. Dropped without
// commit, nothing is left behind. Throws kResource naming path, bytes needed and bytes free.
class AtomicFile {
 public:
  // `reserve_bytes` are allocated at once, so that a full disk is found before the work is done.
  explicit AtomicFile(fs::path path, std::uint64_t reserve_bytes = 0);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);
  void commit();
  const fs::path& partial_path() const { return partial_; }

 private:
  fs::path path_;
  fs::path partial_;
  int descriptor_ = -1;
  std::uint64_t position_ = 0;
  bool committed_ = false;
};

// path holds exactly `text` afterwards, or what it held before.
void write_file(const fs::path& path, std::string_view text);

// Flushes the folder's own entries (renames, removals) to the disk.
void sync_folder(const fs::path& folder);

// True when both paths lead to the same file or folder, through any links.
bool same_file(const fs::path& a, const fs::path& b);

}  // namespace nibble
