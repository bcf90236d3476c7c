#include "quantize/calibration/activation_store.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/parallel.h"
#include "base/text.h"
#include "kernels/kernels.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::size_t kRowsAtOnce = 64;

std::size_t element_bytes(Compute precision) { return precision == Compute::kBfloat16 ? 2 : 4; }

// An unlinked file of this size; the caller owns the descriptor.
int temporary_file(const std::filesystem::path& folder, std::uint64_t bytes) {
  const int descriptor = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor < 0)
    throw Error(ErrorKind::kResource,
                cat(folder.string(), ": cannot create a temporary file: ", std::strerror(errno)));
  const int failure = posix_fallocate(descriptor, 0, static_cast<off_t>(bytes));
  if (failure != 0) {
    close(descriptor);
    throw Error(ErrorKind::kResource, cat(folder.string(), ": no room for ", human_bytes(bytes),
                                          " of activations: ", std::strerror(failure)));
  }
  return descriptor;
}

}  // namespace

std::uint64_t ActivationStore::bytes(std::size_t rows, std::size_t columns, Compute precision) {
  return static_cast<std::uint64_t>(rows) * columns * element_bytes(precision);
}

ActivationStore::ActivationStore(std::size_t rows, std::size_t columns, Compute precision,
                                 const std::filesystem::path& spill)
    : bytes_(bytes(rows, columns, precision)), columns_(columns), precision_(precision) {
  const int descriptor = spill.empty() ? -1 : temporary_file(spill, bytes_);
  const int flags = descriptor < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED;
  memory_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, flags, descriptor, 0);
  const int failure = errno;
  if (descriptor >= 0) close(descriptor);
  if (memory_ == MAP_FAILED) {
    memory_ = nullptr;
    throw Error(ErrorKind::kResource, cat("cannot hold ", human_bytes(bytes_),
                                          " of activations: ", std::strerror(failure)));
  }
}

ActivationStore::~ActivationStore() {
  if (memory_ != nullptr) munmap(memory_, bytes_);
}

void ActivationStore::put(std::size_t first_row, ConstMatrix values) {
  NIBBLE_ASSERT(values.columns <= columns_);
  parallel_ranges(values.rows, kRowsAtOnce, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      const std::size_t at = (first_row + r) * columns_;
      if (precision_ == Compute::kBfloat16)
        kernels().float_to_bfloat16(values.row(r), static_cast<std::uint16_t*>(memory_) + at,
                                    values.columns);
      else
        std::memcpy(static_cast<float*>(memory_) + at, values.row(r),
                    values.columns * sizeof(float));
    }
  });
}

void ActivationStore::get(std::size_t first_row, Matrix values) const {
  NIBBLE_ASSERT(values.columns <= columns_);
  parallel_ranges(values.rows, kRowsAtOnce, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      const std::size_t at = (first_row + r) * columns_;
      if (precision_ == Compute::kBfloat16)
        kernels().bfloat16_to_float(static_cast<const std::uint16_t*>(memory_) + at, values.row(r),
                                    values.columns);
      else
        std::memcpy(values.row(r), static_cast<const float*>(memory_) + at,
                    values.columns * sizeof(float));
    }
  });
}

}  // namespace nibble
