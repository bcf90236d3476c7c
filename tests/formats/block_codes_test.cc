// Every block format in the list, seen as codes of its grid: what methods choose is what is read.
#include "formats/block_codes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/random.h"
#include "tensor/half.h"

namespace nibble {
namespace {

constexpr std::size_t kRows = 3, kColumns = 512;

class EveryFormatAsCodes : public testing::TestWithParam<const BlockFormat*> {
 protected:
  const BlockFormat& format() const { return *GetParam(); }
  const Grid& grid() const { return grids::named(format().grid); }

  static Tensor weights() {
    Random random(5);
    Tensor weights(kRows, kColumns);
    for (std::size_t i = 0; i < weights.size(); ++i)
      weights.data()[i] = static_cast<float>(random.uniform() + random.uniform() - 0.9);
    return weights;
  }

  // Scales as the format finds them, or has them written.
  Codes fitted(const Tensor& weights) const {
    Codes codes = make_codes(grid(), kRows, kColumns, format().group);
    if (format().joint() || format().put_scales != nullptr) {
      fit_blocks(format(), weights.view(), {}, codes);
      return codes;
    }
    for (std::size_t i = 0; i < codes.scales.size(); ++i) {
      codes.scales[i] = half_to_float(float_to_half(0.01f + 0.001f * static_cast<float>(i)));
      codes.zeros[i] = grid().uniform() ? static_cast<float>(grid().levels() / 2) : 0;
    }
    return codes;
  }

  Tensor decoded(const std::vector<std::byte>& blocks) const {
    Tensor out(kRows, kColumns);
    format().decode(reinterpret_cast<const std::uint8_t*>(blocks.data()),
                    kRows * kColumns / format().block, out.data());
    return out;
  }
};

TEST_P(EveryFormatAsCodes, IsOfAGridAndOfWholeGroups) {
  EXPECT_NE(grids::find(format().grid), nullptr) << format().grid;
  ASSERT_GT(format().group, 0u);
  EXPECT_EQ(format().block % format().group, 0u);
  // Blocks are no smaller than their codes.
  const auto values = static_cast<double>(grid().used_levels() - grid().lowest_code());
  EXPECT_GE(static_cast<double>(format().block_bytes * 8),
            static_cast<double>(format().block) * std::log2(values));
}

TEST_P(EveryFormatAsCodes, HoldsAnyCodesBesideItsScales) {
  Codes codes = fitted(weights());
  Random random(9);
  for (std::size_t r = 0; r < kRows; ++r)
    for (std::size_t i = 0; i < kColumns; ++i)
      codes.set_code(r, i,
                     static_cast<Code>(grid().lowest_code() +
                                       random.below(grid().levels() - grid().lowest_code())));
  Tensor expected(kRows, kColumns);
  decode_rows(codes, 0, expected.view());
  const Tensor found = decoded(blocks_of(format(), codes));
  for (std::size_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(found.data()[i], expected.data()[i], 2e-6 * (1 + std::fabs(expected.data()[i])))
        << i;
}

// The nearest codes beside the scales that encoding finds lose what encoding loses.
TEST_P(EveryFormatAsCodes, FitsScalesAsItsEncoderDoes) {
  const Tensor given = weights();
  std::vector<std::uint8_t> encoded(kRows * format().row_bytes(kColumns));
  format().encode(given.data(), nullptr, kRows * kColumns / format().block, encoded.data());
  Codes codes = make_codes(grid(), kRows, kColumns, format().group);
  fit_blocks(format(), given.view(), {}, codes);
  for (std::size_t r = 0; r < kRows; ++r)
    for (std::size_t i = 0; i < kColumns; ++i) {
      const GroupParams params = codes.params(r, codes.group_of(i));
      Code best = grid().lowest_code();
      for (std::size_t code = best; code < grid().levels(); ++code)
        if (std::fabs(grid().value(static_cast<Code>(code), params) - given.view()(r, i)) <
            std::fabs(grid().value(best, params) - given.view()(r, i)))
          best = static_cast<Code>(code);
      codes.set_code(r, i, best);
    }
  const auto loss = [&](const Tensor& found) {
    double sum = 0;
    for (std::size_t i = 0; i < given.size(); ++i) {
      const double difference = static_cast<double>(found.data()[i]) - given.data()[i];
      sum += difference * difference;
    }
    return sum;
  };
  Tensor here(kRows, kColumns);
  decode_rows(codes, 0, here.view());
  std::vector<std::byte> bytes(encoded.size());
  std::copy_n(reinterpret_cast<const std::byte*>(encoded.data()), bytes.size(), bytes.begin());
  EXPECT_LE(loss(here), 1.0001 * loss(decoded(bytes)));
}

TEST_P(EveryFormatAsCodes, FitsTheColumnsThatMatterBetter) {
  if (!format().joint()) return;  // its scales are found elsewhere
  const Tensor given = weights();
  std::vector<float> importance(kColumns, 0.01f);
  for (std::size_t i = 0; i < kColumns; i += 4) importance[i] = 10;
  Codes plain = make_codes(grid(), kRows, kColumns, format().group), weighted = plain;
  fit_blocks(format(), given.view(), {}, plain);
  fit_blocks(format(), given.view(), importance, weighted);
  EXPECT_NE(plain.scales, weighted.scales);
}

// Some formats have codes that are of no grid.
std::vector<const BlockFormat*> formats_of_grids() {
  std::vector<const BlockFormat*> list;
  for (const BlockFormat* format : block_formats::all())
    if (!format->grid.empty()) list.push_back(format);
  return list;
}

INSTANTIATE_TEST_SUITE_P(BlockFormats, EveryFormatAsCodes, testing::ValuesIn(formats_of_grids()),
                         [](const auto& one) { return std::string(one.param->name); });

}  // namespace
}  // namespace nibble
