#include "nn/panels/panels.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "base/parallel.h"
#include "kernels/scalar/panels.h"
#include "nn/panels/panel_product.h"
#include "nn/panels/panel_ranges.h"

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

ByteMatrix::ByteMatrix(ConstMatrix x)
    : rows_(x.rows),
      blocks_((x.columns + kBlockColumns - 1) / kBlockColumns),
      codes_(x.rows * blocks_ * kBlockColumns),
      scales_(x.rows * blocks_),
      sums_(x.rows * blocks_ * 2) {
  const std::size_t whole = x.columns / kBlockColumns, rest = x.columns % kBlockColumns;
  const auto round = [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      std::int8_t* codes = codes_.data() + r * blocks_ * kBlockColumns;
      float* scales = scales_.data() + r * blocks_;
      std::int32_t* sums = sums_.data() + r * blocks_ * 2;
      kernels().round_to_bytes(x.row(r), whole, codes, scales, sums);
      if (rest == 0) continue;
      float tail[kBlockColumns] = {};
      std::copy_n(x.row(r) + whole * kBlockColumns, rest, tail);
      kernels().round_to_bytes(tail, 1, codes + whole * kBlockColumns, scales + whole,
                               sums + 2 * whole);
    }
  };
  if (rows_ <= 4)
    round(0, rows_);
  else
    parallel_ranges(rows_, 16, round);
}

ByteRows ByteMatrix::view() const { return {codes_.data(), scales_.data(), sums_.data(), blocks_}; }

void Panels::Free::operator()(std::uint8_t* bytes) const { std::free(bytes); }

Panels::Panels(PanelType type, std::size_t rows, std::size_t units, std::size_t blocks_per_unit)
    : type_(type),
      rows_(rows),
      units_(units),
      blocks_per_unit_(blocks_per_unit),
      panel_bytes_(units * scalar::panel_unit_bytes(type, blocks_per_unit)),
      bytes_(allocate(panels() * panel_bytes_)) {}

PanelRows Panels::view() const { return {bytes_.get(), panel_bytes_, units_, blocks_per_unit_}; }

void Panels::multiply(const LayerInput& x, Matrix y) const {
  const PanelProduct product(*this, x);
  for_panel_ranges(y, product.grain(), [&](std::size_t begin, std::size_t end, Matrix part) {
    product.run(begin, end - begin, part);
  });
}

}  // namespace nibble
