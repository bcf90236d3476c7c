#include "quantize/recovery/recover_blocks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "formats/blocks/packing.h"
#include "quantize/recovery/exact_line.h"
#include "quantize/recovery/group_search.h"

namespace nibble {
namespace {

constexpr std::size_t kRows = 8;
constexpr std::size_t kLargestBlock = 256;

// One block after another, with room that is used again.
class BlockSearch {
 public:
  BlockSearch(const BlockFormat& format, DType type)
      : format_(format),
        type_(type),
        grid_(format.grid.empty() ? nullptr : &grids::named(format.grid)),
        levels_(grid_ == nullptr ? Levels::fixed(grids::uniform(2), 0)
                                 : Levels::fixed(*grid_, static_cast<int>(grid_->levels() / 2))),
        search_(levels_, type, format.scale_type, true) {}

  // Does `block` mean the weights now?
  bool put(const float* weights, std::uint8_t* block) {
    if (grid_ == nullptr              ? !put_by_rule(weights, block)
        : format_.put_line != nullptr ? !put_line(weights, block)
                                      : !put_groups(weights, block))
      return false;
    std::array<float, kLargestBlock> got{};
    format_.decode(block, 1, got.data());
    return rounds_to(type_, got.data(), {weights, format_.block});
  }

 private:
  // The format's own rule finds the only scale there is.
  bool put_by_rule(const float* weights, std::uint8_t* block) {
    if (!std::all_of(weights, weights + format_.block, [](float w) { return std::isfinite(w); }))
      return false;
    format_.encode(weights, nullptr, 1, block);
    return true;
  }

  bool put_groups(const float* weights, std::uint8_t* block) {
    std::array<float, kLargestBlock> scales{};
    std::array<int, kLargestBlock> codes{};
    for (std::size_t g = 0; g < format_.block / format_.group; ++g)
      if (!find_group(weights + g * format_.group, scales[g], codes.data() + g * format_.group))
        return false;
    if (format_.put_scales != nullptr)
      format_.put_scales(scales.data(), block);
    else
      block_formats::put_half(block, scales[0]);
    format_.put_codes(codes.data(), block);
    return true;
  }

  bool find_group(const float* weights, float& scale, int* codes) {
    const std::span group(weights, format_.group);
    const auto is_zero = [](float weight) { return weight == 0; };
    const bool zeros = std::all_of(group.begin(), group.end(), is_zero);
    if (!zeros && !search_.find(group)) return false;
    // Zeros alone have any scale: as encoders have it.
    const float least = format_.scale_type == DType::kF8E8M0 ? 0x1p-127f : 0;
    scale = zeros ? least : search_.scale();
    for (std::size_t i = 0; i < group.size(); ++i)
      codes[i] = levels_.code(zeros ? 0 : search_.levels()[i], group[i]);
    return true;
  }

  bool put_line(const float* weights, std::uint8_t* block) {
    const int highest = static_cast<int>(grid_->levels()) - 1;
    if (!group_.gather({weights, format_.block}, type_, grid_->levels())) return false;
    const LineRules rules{LineForm::kMinimum, highest, type_, DType::kF16, DType::kF16};
    if (!find_line(group_, rules, line_)) return false;
    std::array<int, kLargestBlock> codes{};
    for (std::size_t i = 0; i < format_.block; ++i)
      codes[i] = group_.of_weight(i) == GroupValues::kZero ? line_.codes.back()
                                                           : line_.codes[group_.of_weight(i)];
    format_.put_line(line_.step, line_.offset, block);
    format_.put_codes(codes.data(), block);
    return true;
  }

  const BlockFormat& format_;
  DType type_;
  const Grid* grid_;
  Levels levels_;
  GroupSearch search_;
  GroupValues group_;
  ExactLine line_;
};

}  // namespace

bool recoverable(const BlockFormat& format) {
  return format.grid.empty() || format.put_line != nullptr || !format.joint();
}

std::optional<Misfit> recover_blocks(const BlockFormat& format, const DenseMatrix& matrix,
                                     std::vector<std::byte>& blocks) {
  const std::size_t row_bytes = format.row_bytes(matrix.columns);
  blocks.assign(matrix.rows * row_bytes, std::byte{});
  return first_misfit(
      matrix.rows, kRows, [&](std::size_t begin, std::size_t end) -> std::optional<Misfit> {
        BlockSearch search(format, matrix.type);
        std::vector<float> row(matrix.columns);
        for (std::size_t r = begin; r < end; ++r) {
          matrix.read(r, 1, row.data());
          auto* block = reinterpret_cast<std::uint8_t*>(blocks.data()) + r * row_bytes;
          for (std::size_t c = 0; c < matrix.columns;
               c += format.block, block += format.block_bytes)
            if (!search.put(row.data() + c, block)) return Misfit{r, c};
        }
        return std::nullopt;
      });
}

}  // namespace nibble
