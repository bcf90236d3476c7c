#include "nibble/tensor.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <new>
#include <numeric>
#include <utility>

namespace nibble {
namespace {

// 0, 1, 2, … row by row.
Tensor counted(std::size_t rows, std::size_t columns) {
  Tensor tensor(rows, columns);
  std::iota(tensor.data(), tensor.data() + tensor.size(), 0.0f);
  return tensor;
}

TEST(Tensor, IsAlignedForTheWidestLoads) {
  for (const std::size_t columns : {1, 3, 16, 100}) {
    const Tensor tensor(3, columns);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.data()) % 64, 0u) << columns;
  }
}

TEST(Tensor, LeavesNothingBehindWhenItIsMoved) {
  Tensor from = counted(2, 3);
  const float* values = from.data();
  const Tensor to = std::move(from);
  EXPECT_EQ(to.data(), values);
  EXPECT_EQ(to.rows(), 2u);
  EXPECT_EQ(to.columns(), 3u);
  EXPECT_EQ(from.data(), nullptr);  // NOLINT: what is left is what is asked
}

TEST(Tensor, ClonesIntoMemoryOfItsOwn) {
  Tensor original = counted(2, 3);
  const Tensor copy = original.clone();
  original.fill(7);
  EXPECT_EQ(copy.view()(1, 2), 5);
  EXPECT_EQ(original.view()(1, 2), 7);
  EXPECT_NE(copy.data(), original.data());
}

TEST(Tensor, MayBeEmpty) {
  for (const auto& [rows, columns] : {std::pair{0, 5}, std::pair{5, 0}, std::pair{0, 0}}) {
    Tensor tensor(static_cast<std::size_t>(rows), static_cast<std::size_t>(columns));
    EXPECT_EQ(tensor.size(), 0u);
    tensor.fill(1);
    EXPECT_EQ(tensor.clone().size(), 0u);
  }
}

TEST(Tensor, RefusesSizesThatNoAddressHolds) {
  EXPECT_THROW(Tensor(SIZE_MAX, 2), std::bad_alloc);
  EXPECT_THROW(Tensor(SIZE_MAX / 4, 1), std::bad_alloc);
  EXPECT_THROW(Tensor(std::size_t{1} << 33, std::size_t{1} << 33), std::bad_alloc);
}

TEST(MatrixView, ReadsRowsThatLieApart) {
  Tensor tensor = counted(4, 5);
  const Matrix part = tensor.view().columns_at(1, 3);
  EXPECT_EQ(part.columns, 3u);
  EXPECT_EQ(part.stride, 5u);
  EXPECT_EQ(part(2, 0), 11);
  EXPECT_EQ(part.row_span(3).back(), 18);
}

TEST(MatrixView, OfAViewIsOfTheSameNumbers) {
  Tensor tensor = counted(6, 4);
  const Matrix part = tensor.view().rows_at(2, 3).columns_at(1, 2);
  EXPECT_EQ(part.rows, 3u);
  EXPECT_EQ(part(0, 0), 9);
  part(2, 1) = -1;
  EXPECT_EQ(tensor.view()(4, 2), -1);
}

TEST(MatrixView, BecomesReadOnlyWithItsStride) {
  Tensor tensor = counted(3, 4);
  const ConstMatrix part = tensor.view().columns_at(2, 2);
  EXPECT_EQ(part.stride, 4u);
  EXPECT_EQ(part(1, 1), 7);
}

}  // namespace
}  // namespace nibble
