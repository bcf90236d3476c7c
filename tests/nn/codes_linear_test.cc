// A layer of codes has the weights that its grid gives them, whether kernels know the grid or not.
#include "nn/codes_linear.h"

#include <gtest/gtest.h>

#include <cmath>

#include "nn/kinds_of_layers.h"

namespace nibble {
namespace {

constexpr std::size_t kOutputs = 37;

void expect_weights(const Linear& layer, const Codes& codes) {
  Tensor found(3, codes.columns), expected(3, codes.columns);
  for (const std::size_t first : {std::size_t{0}, kOutputs - 3}) {
    layer.decode(first, found.view());
    decode_rows(codes, first, expected.view());
    test::expect_same(found, expected, std::string(codes.grid->name));
  }
}

// `step`: what rounding an input may cost, of the largest in its block.
void expect_products(const Linear& layer, const Codes& codes, Compute compute, double step) {
  Tensor weights(codes.rows, codes.columns);
  decode_rows(codes, 0, weights.view());
  for (const std::size_t tokens : {1u, 4u, 20u}) {
    const Tensor x = test::random_input(tokens);
    const Tensor y = test::alone(layer, x, compute);
    for (std::size_t t = 0; t < tokens; ++t)
      for (std::size_t r = 0; r < codes.rows; ++r) {
        double exact = 0, squares = 0;
        for (std::size_t c = 0; c < codes.columns; ++c) {
          const double w = weights.view()(r, c);
          exact += w * x.view()(t, c);
          squares += w * w;
        }
        ASSERT_NEAR(y.view()(t, r), exact, 5 * std::sqrt(squares) * step)
            << codes.grid->name << " " << t << " " << r;
      }
  }
}

TEST(LayersOfCodes, HaveTheWeightsOfEveryGrid) {
  for (const Grid* grid : grids::all()) {
    const Codes codes = test::codes_of_grid(*grid, kOutputs, 1);
    const auto chosen = codes_linear(codes);
    const auto stored = stored_linear(std::make_unique<test::MemoryCodes>(codes));
    expect_weights(*chosen, codes);
    expect_weights(*stored, codes);
    for (const Compute compute : {Compute::kFloat32, Compute::kInt8}) {
      stored->prepare(compute);
      expect_weights(*stored, codes);
      // Inputs are below a half: bytes keep 127 steps of that, floats a sum's last bits.
      const double step = compute == Compute::kInt8 ? 0.5 / 254 : 1e-6;
      expect_products(*stored, codes, compute, step);
    }
    expect_products(*chosen, codes, Compute::kFloat32, 1e-6);
  }
}

TEST(LayersOfCodes, AreCalledAsTheirGridIs) {
  for (const Grid* grid : grids::all()) {
    const Codes codes = test::codes_of_grid(*grid, kOutputs, 1);
    const std::string kind = std::string(grid->name) + " groups of 32";
    EXPECT_EQ(codes_linear(codes)->kind(), kind);
    EXPECT_EQ(stored_linear(std::make_unique<test::MemoryCodes>(codes))->kind(), kind);
  }
}

}  // namespace
}  // namespace nibble
