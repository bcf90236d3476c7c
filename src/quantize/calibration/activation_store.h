// A large matrix of activations, in memory or in an unlinked temporary file. Kept as bfloat16 when
// the arithmetic would round it to that anyway.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "nibble/tensor.h"
#include "nn/linear.h"

namespace nibble {

class ActivationStore {
 public:
  // `spill`: folder for the temporary file; empty keeps it in memory. Throws kResource.
  ActivationStore(std::size_t rows, std::size_t columns, Compute precision,
                  const std::filesystem::path& spill);
  ActivationStore(const ActivationStore&) = delete;
  ActivationStore& operator=(const ActivationStore&) = delete;
  ~ActivationStore();

  // The first `columns` of each row may be used by a narrower matrix; it is read back as written.
  void put(std::size_t first_row, ConstMatrix values);
  void get(std::size_t first_row, Matrix values) const;

  // All of it as it is stored.
  std::span<std::byte> memory() const { return {static_cast<std::byte*>(memory_), bytes_}; }

  static std::uint64_t bytes(std::size_t rows, std::size_t columns, Compute precision);

 private:
  void* memory_ = nullptr;
  std::uint64_t bytes_ = 0;
  std::size_t columns_ = 0;
  Compute precision_ = Compute::kFloat32;
};

}  // namespace nibble
