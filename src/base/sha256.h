// SHA-256 of bytes and files: what an output says its inputs were.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace nibble {

// Lower-case hexadecimal SHA-256.
class Sha256 {
 public:
  Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  ~Sha256();
  void add(std::span<const std::byte> bytes);
  std::string finish();

 private:
  void* state_;
};
std::string sha256(std::span<const std::byte> bytes);
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace nibble
