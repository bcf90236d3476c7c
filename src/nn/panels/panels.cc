#include "nn/panels/panels.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/parallel.h"
#include "kernels/scalar/panels.h"
#include "nn/tile_product.h"

namespace nibble {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kSlack = 8192;  // kernels prefetch beyond the end
constexpr std::size_t kFewRows = 8;   // above, unpacking the weights once pays
constexpr std::size_t kTileRows = 3;  // from there on tiles of a few rows pay
constexpr std::size_t kStrip = 4;     // panels made dense together: they stay in the second cache

constexpr DenseForm kDenseForms[kPanelTypes] = {
#define PANEL(name, bits, table, scheme, offset) dense_form(bits, table, scheme, offset),
#include "kernels/panels.def"
#undef PANEL
};

std::uint8_t* allocate(std::size_t bytes) {
  const std::size_t size = (bytes + kSlack + kHugePage - 1) / kHugePage * kHugePage;
  void* memory = std::aligned_alloc(size >= 2 * kHugePage ? kHugePage : 4096, size);
  if (memory == nullptr) throw std::bad_alloc();
  // Fewer page faults while it is filled, fewer address misses while it is read.
  if (size >= 2 * kHugePage) madvise(memory, size, MADV_HUGEPAGE);
  return static_cast<std::uint8_t*>(memory);
}

// x as the large product reads it.
class Tiles {
 public:
  Tiles(const ByteRows& x, std::size_t rows, std::size_t width, int offset)
      : tiles_((rows + width - 1) / width),
        codes_(tiles_ * width * x.blocks * kBlockColumns),
        scales_(tiles_ * width * x.blocks),
        starts_(scales_.size()),
        sums_(scales_.size()) {
    parallel_ranges(tiles_, 4, [&](std::size_t begin, std::size_t end) {
      for (std::size_t tile = begin; tile < end; ++tile) fill(x, rows, width, offset, tile);
    });
  }

  std::size_t count() const { return tiles_; }
  ByteTiles view() const { return {codes_.data(), scales_.data(), starts_.data(), sums_.data()}; }

 private:
  void fill(const ByteRows& x, std::size_t rows, std::size_t width, int offset, std::size_t tile) {
    const std::size_t steps = x.blocks * 8;
    std::int8_t* codes = codes_.data() + tile * width * steps * 4;
    const std::size_t side = tile * width * x.blocks;
    for (std::size_t c = 0; c < width; ++c) {
      const std::size_t row = tile * width + c;
      if (row >= rows) {
        for (std::size_t k = 0; k < steps; ++k) std::memset(codes + (k * width + c) * 4, 0, 4);
        for (std::size_t b = 0; b < x.blocks; ++b) {
          const std::size_t at = side + b * width + c;
          scales_[at] = sums_[at] = 0;
          starts_[at] = 0;
        }
        continue;
      }
      const std::int8_t* from = x.codes + row * steps * 4;
      for (std::size_t k = 0; k < steps; ++k)
        std::memcpy(codes + (k * width + c) * 4, from + 4 * k, 4);
      for (std::size_t b = 0; b < x.blocks; ++b) {
        const std::size_t at = row * x.blocks + b;
        const std::int32_t sum = x.sums[2 * at] + x.sums[2 * at + 1];
        scales_[side + b * width + c] = x.scales[at];
        starts_[side + b * width + c] = -offset * sum;
        sums_[side + b * width + c] = x.scales[at] * static_cast<float>(sum);
      }
    }
  }

  std::size_t tiles_;
  AlignedVector<std::int8_t> codes_;
  AlignedVector<float> scales_;
  AlignedVector<std::int32_t> starts_;
  AlignedVector<float> sums_;
};

// A strip of panels made dense, on one thread.
struct DenseStrip {
  AlignedVector<std::uint8_t> codes;
  AlignedVector<float> scales, lows;

  DensePanels fill(const PanelKernels& table, const PanelRows& w, std::size_t first,
                   std::size_t count, std::size_t blocks, bool has_lows) {
    codes.resize(count * blocks * 512);
    scales.resize(count * blocks * kPanelRows);
    if (has_lows) lows.resize(scales.size());
    for (std::size_t p = 0; p < count; ++p)
      table.expand(&w, first + p, codes.data() + p * blocks * 512,
                   scales.data() + p * blocks * kPanelRows,
                   has_lows ? lows.data() + p * blocks * kPanelRows : nullptr);
    return {codes.data(), scales.data(), has_lows ? lows.data() : nullptr, blocks};
  }
};

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

bool multiplies_bytes(std::size_t rows) {
  return !has_tile_product() || rows <= kernels().tiles->few_rows;
}

void Panels::multiply(const LayerInput& input, Matrix y) const {
  const std::size_t rows = input.values().rows;
  if (!multiplies_bytes(rows)) {
    const PanelRows w = view();
    const auto expand = kernels().tiles->expand[type_];
    return tile_product(
        input, rows_, [&](std::size_t panel, std::uint16_t* out) { expand(&w, panel, out); }, y);
  }
  const ByteMatrix& x = input.bytes();
  const bool few = rows <= kFewRows || has_tile_product();
  if (rows_ % kPanelRows != 0) {  // kernels write whole panels
    Tensor padded(rows, panels() * kPanelRows);
    few ? multiply_few(x, padded.view()) : multiply_many(x, padded.view());
    for (std::size_t r = 0; r < rows; ++r) std::copy_n(padded.view().row(r), rows_, y.row(r));
    return;
  }
  few ? multiply_few(x, y) : multiply_many(x, y);
}

void Panels::multiply_few(const ByteMatrix& x, Matrix y) const {
  const PanelRows w = view();
  const ByteRows rows = x.view();
  const Kernels& table = kernels();
  const bool tiles = table.tiles != nullptr && x.rows() >= kTileRows;
  const auto product = tiles ? table.tiles->products[type_] : table.panels[type_].product;
  // Long runs, because each one's first reads wait for memory; a few for each thread, because some
  // threads are late. What a row gives does not depend on the run it is in.
  const std::size_t grain =
      std::max<std::size_t>(1, panels() / (3 * static_cast<std::size_t>(threads())));
  parallel_ranges(panels(), grain, [&](std::size_t begin, std::size_t end) {
    product(&w, begin, end - begin, &rows, x.rows(), y.values, y.stride);
  });
}

void Panels::multiply_many(const ByteMatrix& x, Matrix y) const {
  const Kernels& table = kernels();
  const DenseForm form = kDenseForms[type_];
  const Tiles tiles(x.view(), x.rows(), table.gemm_columns, form.offset);
  const ByteTiles in = tiles.view();
  const PanelRows w = view();
  parallel_ranges(panels(), kStrip, [&](std::size_t begin, std::size_t end) {
    thread_local DenseStrip strip;
    const DensePanels dense =
        strip.fill(table.panels[type_], w, begin, end - begin, blocks(), form.has_lows != 0);
    table.int8_gemm(&dense, form, end - begin, &in, 0, tiles.count(), x.rows(),
                    y.values + begin * kPanelRows, y.stride);
  });
}

}  // namespace nibble
