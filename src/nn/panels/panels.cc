#include "nn/panels/panels.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

#include "kernels/scalar/panels.h"

namespace nibble {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kSlack = 8192;  // kernels prefetch beyond the end

std::uint8_t* allocate(std::size_t bytes) {
  const std::size_t size = (bytes + kSlack + kHugePage - 1) / kHugePage * kHugePage;
  void* memory = std::aligned_alloc(size >= 2 * kHugePage ? kHugePage : 4096, size);
  if (memory == nullptr) throw std::bad_alloc();
  // Fewer page faults while it is filled, fewer address misses while it is read.
  if (size >= 2 * kHugePage) madvise(memory, size, MADV_HUGEPAGE);
  return static_cast<std::uint8_t*>(memory);
}

}  // namespace

void Panels::Free::operator()(std::uint8_t* bytes) const { std::free(bytes); }

Panels::Panels(PanelType type, std::size_t rows, std::size_t units, std::size_t blocks_per_unit)
    : type_(type),
      rows_(rows),
      units_(units),
      blocks_per_unit_(blocks_per_unit),
      panel_bytes_(units * scalar::panel_unit_bytes(type, blocks_per_unit)),
      bytes_(allocate(panels() * panel_bytes_)) {}

PanelRows Panels::view() const { return {bytes_.get(), panel_bytes_, units_, blocks_per_unit_}; }

}  // namespace nibble
