// Codes of a checkpoint into panels: 16 rows come as words of four codes, are put into slot order
// where that is another, and join their planes. Nothing is rounded.
#include <algorithm>
#include <cstring>

#include "base/aligned_vector.h"
#include "base/parallel.h"
#include "nn/panels/pack_codes.h"
#include "nn/panels/panels.h"

namespace nibble {
namespace {

static_assert(kRowsTogether == kPanelRows);

constexpr std::size_t kGrain = 8;  // panels: rows beside each other share pages of the file

// Scales and zeros of all panels as a panel's header has them, [panels, groups, 16].
struct Headers {
  AlignedVector<std::uint16_t> scales, zeros;
  bool exact = true;  // all are float16
  bool fixed = true;  // all zeros are the middle of the codes
};

// floats as halves; whether none was rounded.
bool to_halves(const AlignedVector<float>& floats, std::uint16_t* halves,
               AlignedVector<float>& back) {
  kernels().float_to_half(floats.data(), halves, floats.size());
  kernels().half_to_float(halves, back.data(), floats.size());
  unsigned rounded = 0;
  for (std::size_t i = 0; i < floats.size(); ++i) rounded |= back[i] != floats[i] ? 1u : 0u;
  return rounded == 0;
}

Headers headers_of(const StoredCodes& stored) {
  const CodeShape& shape = stored.shape();
  const std::size_t panels = (shape.rows + kPanelRows - 1) / kPanelRows;
  const std::size_t size = shape.groups() * kPanelRows;
  const auto middle = static_cast<float>(1 << (shape.bits() - 1));
  // Eight-bit zeros count from the middle, so that codes can be signed bytes.
  const float base = shape.bits() == 8 ? middle : 0;
  Headers headers;
  headers.scales.resize(panels * size);
  headers.zeros.resize(panels * size);
  AlignedVector<std::uint8_t> exact(panels), fixed(panels);
  parallel_ranges(panels, kGrain, [&](std::size_t begin, std::size_t end) {
    AlignedVector<float> scales(size), zeros(size), back(size);
    for (std::size_t p = begin; p < end; ++p) {
      const std::size_t count = std::min(kPanelRows, shape.rows - p * kPanelRows);
      stored.read_scales(p * kPanelRows, scales.data(), zeros.data());
      unsigned free = 0;
      for (std::size_t i = 0; i < size; ++i)
        free |= zeros[i] != middle && i % kPanelRows < count ? 1u : 0u;
      for (float& zero : zeros) zero -= base;
      fixed[p] = free == 0;
      exact[p] = to_halves(scales, headers.scales.data() + p * size, back) &&
                 to_halves(zeros, headers.zeros.data() + p * size, back);
    }
  });
  headers.exact = std::find(exact.begin(), exact.end(), 0) == exact.end();
  headers.fixed = std::find(fixed.begin(), fixed.end(), 0) == fixed.end();
  return headers;
}

FourWords four_rows(const std::uint32_t* at) {
  FourWords words;
  std::memcpy(&words, at, sizeof(words));
  return words;
}

// Words of columns in order -> words of four slots each; `slots` of them.
void arrange(const std::uint32_t* columns, std::span<const std::int32_t> slots,
             std::uint32_t* out) {
  for (std::size_t slot = 0; slot < slots.size(); slot += 4, out += kPanelRows) {
    FourWords words[kPanelRows / 4] = {};
    for (std::size_t i = 0; i < 4; ++i) {
      if (slots[slot + i] < 0) continue;
      const auto column = static_cast<std::size_t>(slots[slot + i]);
      const std::uint32_t* from = columns + column / 4 * kPanelRows;
      const int down = static_cast<int>(8 * (column % 4)), up = static_cast<int>(8 * i);
      for (std::size_t q = 0; q < kPanelRows / 4; ++q)
        words[q] |= (four_rows(from + 4 * q) >> down & 0xFF) << up;
    }
    std::memcpy(out, words, sizeof(words));
  }
}

// Words [8 · blocks][16] into the codes of one unit.
template <int Bits>
void fill(const std::uint32_t* words, std::size_t blocks, std::uint8_t* codes) {
  for (std::size_t b = 0; b < blocks; ++b, words += 8 * kPanelRows, codes += 64 * Bits)
    for (std::size_t lane = 0; lane < kPanelRows; lane += 4) {
      FourWords steps[8];
      for (std::size_t k = 0; k < 8; ++k) steps[k] = four_rows(words + k * kPanelRows + lane);
      put_steps(steps, Bits, lane, codes);
    }
}

using Fill = void (*)(const std::uint32_t* words, std::size_t blocks, std::uint8_t* codes);
Fill fill_of(int bits) {
  return bits == 2 ? fill<2> : bits == 3 ? fill<3> : bits == 4 ? fill<4> : fill<8>;
}

// Where a matrix comes from and goes to.
struct Job {
  const StoredCodes& stored;
  const SlotOrder& order;
  Headers headers;
  Panels& panels;

  std::size_t unit_words() const { return order.blocks_per_group * 8 * kPanelRows; }
  std::uint8_t* codes(std::size_t panel, std::size_t unit) const {
    return panels.panel(panel) + unit * panels.unit_bytes() + panel_header_bytes(panels.type());
  }
};

// Unit by unit for panels beside each other: their words share the lines and pages of the file.
void fill_in_order(const Job& job, std::size_t begin, std::size_t end) {
  const Fill fill_unit = fill_of(job.stored.shape().bits());
  const std::size_t blocks = job.order.blocks_per_group;
  AlignedVector<std::uint32_t> words(job.unit_words());
  for (std::size_t u = 0; u < job.stored.shape().groups(); ++u)
    for (std::size_t p = begin; p < end; ++p) {
      job.stored.read_codes(p * kPanelRows, u * blocks, blocks, words.data());
      fill_unit(words.data(), blocks, job.codes(p, u));
    }
}

void fill_slots(const Job& job, std::size_t begin, std::size_t end) {
  const Fill fill_unit = fill_of(job.stored.shape().bits());
  const std::span<const std::int32_t> slots = job.order.slots;
  const std::size_t blocks = job.order.blocks_per_group, unit_slots = blocks * kBlockColumns;
  AlignedVector<std::uint32_t> columns(job.stored.blocks() * 8 * kPanelRows);
  AlignedVector<std::uint32_t> words(job.unit_words());
  for (std::size_t p = begin; p < end; ++p) {
    job.stored.read_codes(p * kPanelRows, 0, job.stored.blocks(), columns.data());
    for (std::size_t u = 0; u < job.stored.shape().groups(); ++u) {
      arrange(columns.data(), slots.subspan(u * unit_slots, unit_slots), words.data());
      fill_unit(words.data(), blocks, job.codes(p, u));
    }
  }
}

void fill_headers(const Job& job, std::size_t panel) {
  const std::size_t groups = job.stored.shape().groups(), unit_bytes = job.panels.unit_bytes();
  std::uint8_t* unit = job.panels.panel(panel);
  for (std::size_t g = 0; g < groups; ++g, unit += unit_bytes) {
    const std::size_t at = (panel * groups + g) * kPanelRows;
    std::memcpy(unit, job.headers.scales.data() + at, 2 * kPanelRows);
    if (!job.headers.fixed) std::memcpy(unit + 32, job.headers.zeros.data() + at, 2 * kPanelRows);
    for (std::size_t row = (panel + 1) * kPanelRows; row > job.panels.rows(); --row)
      clear_panel_row(unit, unit_bytes, (row - 1) % kPanelRows, job.panels.type());
  }
}

}  // namespace

std::unique_ptr<Panels> panels_of(const StoredCodes& stored, const SlotOrder& order) {
  const CodeShape& shape = stored.shape();
  if (!has_code_panel(*shape.grid)) return nullptr;
  Headers headers = headers_of(stored);
  if (!headers.exact) return nullptr;
  const PanelType type = code_panel(shape.bits(), headers.fixed);
  auto panels = std::make_unique<Panels>(type, shape.rows, shape.groups(), order.blocks_per_group);
  const Job job{stored, order, std::move(headers), *panels};
  parallel_ranges(panels->panels(), kGrain, [&](std::size_t begin, std::size_t end) {
    order.slots.empty() ? fill_in_order(job, begin, end) : fill_slots(job, begin, end);
    for (std::size_t p = begin; p < end; ++p) fill_headers(job, p);
  });
  return panels;
}

}  // namespace nibble
