// SHA-256 of bytes and files: what an output says its inputs were.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <stop_token>
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
// kInterrupted soon after `stop` asks for it or the process ends its jobs.
std::string sha256_of_file(const std::filesystem::path& path, const std::stop_token& stop = {});

}  // namespace nibble
