#include "quantize/layer/rounding.h"

#include <algorithm>

#include "base/parallel.h"
#include "formats/block_codes.h"

namespace nibble {
namespace {

constexpr std::size_t kRows = 16;

// Group by group, in the order they lie.
void round_in_order(ConstMatrix weight, const Rounder& rounder, Codes& codes) {
  parallel_ranges(weight.rows, kRows, [&](std::size_t begin, std::size_t end) {
    std::vector<Code> own(codes.group_size);
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t g = 0; g < codes.groups(); ++g) {
        const std::size_t first = g * codes.group_size;
        const std::size_t count = std::min(codes.group_size, weight.columns - first);
        rounder.round({weight.row(r) + first, count}, codes.params(r, g), own);
        std::transform(own.data(), own.data() + count, codes.row(r).data() + first,
                       [](Code code) { return static_cast<std::uint8_t>(code); });
      }
  });
}

}  // namespace

std::vector<float> importance_of(const Task& task) {
  const ConstMatrix hessian = task.hessian;
  if (hessian.rows == 0) return {task.importance.begin(), task.importance.end()};
  std::vector<float> importance(hessian.rows);
  for (std::size_t i = 0; i < hessian.rows; ++i) importance[i] = hessian(i, i);
  return importance;
}

Codes fit_groups(ConstMatrix weight, const Rounder& rounder, std::size_t group_size,
                 std::span<const float> importance) {
  Codes codes = make_codes(rounder.grid(), weight.rows, weight.columns, group_size);
  const Storable& storable = rounder.storable();
  if (storable.blocks != nullptr && storable.blocks->joint()) {
    fit_blocks(*storable.blocks, weight, importance, codes);
    return codes;
  }
  parallel_ranges(weight.rows, kRows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t g = 0; g < codes.groups(); ++g) {
        const std::size_t first = g * group_size;
        const std::size_t count = std::min(group_size, weight.columns - first);
        codes.set_params(
            r, g,
            rounder.fit({{weight.row(r) + first, count},
                         importance.empty() ? importance : importance.subspan(first, count)}));
      }
  });
  if (storable.together != nullptr) storable.together(codes);
  return codes;
}

void round_all(ConstMatrix weight, const Rounder& rounder, Codes& codes) {
  const std::size_t dimension = rounder.grid().dimension;
  if (dimension == 1 && codes.code_bytes() == 1 && codes.group_index.empty()) {
    round_in_order(weight, rounder, codes);
    return;
  }
  parallel_ranges(weight.rows, kRows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t c = 0; c < weight.columns; c += dimension)
        codes.set_code(r, c / dimension,
                       rounder.nearest(&weight(r, c), codes.params(r, codes.group_of(c))));
  });
}

}  // namespace nibble
