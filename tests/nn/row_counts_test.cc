// How many rows go through a layer together, and what that changes in each of them: nothing within
// the counts that Transformer::extend names.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "kernels/kernels.h"
#include "nn/kinds_of_layers.h"

namespace nibble {
namespace {

using test::alone;
using test::Kind;
using test::Kinds;

struct RestoreChoice {
  ~RestoreChoice() { select_kernels("auto"); }
};

// Rows of one product, each at another place in a second one.
void expect_same_rows(const Linear& layer, std::size_t few, std::size_t many, Compute compute,
                      const std::string& what) {
  const Tensor x = test::random_input(many);
  const std::size_t skipped = many - few;
  Tensor part(few, x.columns());
  std::copy_n(x.view().row(skipped), part.size(), part.data());
  const Tensor all = alone(layer, x, compute), some = alone(layer, part, compute);
  for (std::size_t r = 0; r < few; ++r)
    ASSERT_EQ(std::memcmp(all.view().row(skipped + r), some.view().row(r),
                          some.columns() * sizeof(float)),
              0)
        << what << ": row " << r << " of " << few << " is another one among " << many;
}

// Calls check(layer, compute, name) for every kind of layer on every table of this CPU.
template <typename Check>
void for_all_layers(const Check& check) {
  const RestoreChoice restore;
  Kinds kinds(48);
  for (const Kind& kind : kinds.all)
    for (const Compute compute : {Compute::kFloat32, Compute::kBfloat16, Compute::kInt8}) {
      const auto layer = kind.make(1, {});
      layer->prepare(compute);
      for (const char* const* name = runnable_kernels(); *name != nullptr; ++name) {
        select_kernels(*name);
        check(*layer, compute, kind.name + ", " + *name);
      }
    }
}

TEST(RowCounts, ARowIsTheSameAmongUpToFourInAnyLayerAndArithmetic) {
  for_all_layers([](const Linear& layer, Compute compute, const std::string& what) {
    // Tile registers take three rows on where layers are packed.
    const bool tiles = kernels().tiles != nullptr && layer.ranges(compute) != nullptr;
    for (std::size_t many = 2; many <= (tiles ? 2 : 4); ++many)
      expect_same_rows(layer, 1, many, compute, what);
  });
}

TEST(RowCounts, ARowOfBytesIsTheSameAmongUpToEightAndAmongMore) {
  for_all_layers([](const Linear& layer, Compute compute, const std::string& what) {
    if (layer.ranges(compute) == nullptr || kernels().tiles != nullptr) return;
    for (const std::size_t many : {2u, 5u, 8u}) expect_same_rows(layer, 1, many, compute, what);
    for (const std::size_t many : {10u, 64u, 130u}) expect_same_rows(layer, 9, many, compute, what);
  });
}

TEST(RowCounts, ARowOnTileRegistersIsTheSameAmongThreeToSixteenAndAmongMore) {
  for_all_layers([](const Linear& layer, Compute compute, const std::string& what) {
    if (layer.ranges(compute) == nullptr || kernels().tiles == nullptr) return;
    for (const std::size_t many : {4u, 9u, 16u}) expect_same_rows(layer, 3, many, compute, what);
    for (const std::size_t many : {18u, 64u, 130u})
      expect_same_rows(layer, 17, many, compute, what);
  });
}

}  // namespace
}  // namespace nibble
