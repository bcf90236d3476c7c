// Layers of every kind there is, and products with them.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "nn/block_linear.h"
#include "nn/codes_linear.h"
#include "nn/dense_linear.h"
#include "nn/stored_linear.h"
#include "support/memory_codes.h"
#include "tensor/half.h"

namespace nibble::test {

constexpr std::size_t kKindInputs = 256;

// Bytes of float16 values below 2, which are bfloat16 values and, as blocks, scales and codes too.
inline std::vector<std::byte> random_bytes(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<std::byte> bytes(count);
  for (auto& byte : bytes) byte = static_cast<std::byte>(random.below(256) & 0xBB);
  return bytes;
}

// Groups of 32 with scales that float16 holds, and zeros where the grid has them.
inline Codes codes_of_grid(const Grid& grid, std::size_t rows, std::uint64_t seed) {
  Random random(seed);
  Codes codes = make_codes(grid, rows, kKindInputs, 32);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t i = 0; i < codes.codes_per_row(); ++i)
      codes.set_code(r, i, static_cast<Code>(random.below(grid.used_levels())));
    for (std::size_t g = 0; g < codes.groups(); ++g)
      codes.set_params(r, g,
                       {half_to_float(float_to_half(static_cast<float>(random.uniform() - 0.5))),
                        grid.uniform() ? static_cast<float>(random.below(grid.used_levels())) : 0});
  }
  return codes;
}

// A kind of layer; the seed chooses the weights.
struct Kind {
  std::string name;
  std::function<std::unique_ptr<Linear>(std::uint64_t seed, std::vector<float> bias)> make;
};

// Every kind, with so many outputs. Keeps the bytes that the layers look at.
class Kinds {
 public:
  explicit Kinds(std::size_t outputs) {
    for (const DType type : {DType::kF32, DType::kF16, DType::kBF16})
      all.push_back({std::string(name(type)), [=, this](std::uint64_t seed, auto bias) {
                       const auto size = static_cast<std::size_t>(bits(type)) / 8;
                       return dense_linear(keep(outputs * kKindInputs * size, seed), type, outputs,
                                           kKindInputs, bias);
                     }});
    for (const Grid* grid : grids::all()) {
      const auto codes = [=](std::uint64_t seed) { return codes_of_grid(*grid, outputs, seed); };
      all.push_back({"codes of " + std::string(grid->name), [=](std::uint64_t seed, auto bias) {
                       return codes_linear(codes(seed), bias);
                     }});
      all.push_back({"stored " + std::string(grid->name), [=](std::uint64_t seed, auto bias) {
                       return stored_linear(std::make_unique<MemoryCodes>(codes(seed)), bias);
                     }});
    }
    for (const BlockFormat* format : block_formats::all())
      all.push_back({std::string(format->name), [=, this](std::uint64_t seed, auto bias) {
                       return block_linear(*format,
                                           keep(outputs * format->row_bytes(kKindInputs), seed),
                                           outputs, kKindInputs, {}, bias);
                     }});
  }
  std::vector<Kind> all;

 private:
  std::span<const std::byte> keep(std::size_t count, std::uint64_t seed) {
    return bytes_.emplace_back(random_bytes(count, seed));
  }
  std::deque<std::vector<std::byte>> bytes_;
};

inline Tensor random_input(std::size_t rows) {
  Random random(rows);
  Tensor x(rows, kKindInputs);
  for (std::size_t i = 0; i < x.size(); ++i)
    x.data()[i] = static_cast<float>(random.uniform() - 0.5);
  return x;
}

inline Tensor alone(const Linear& layer, const Tensor& x, Compute compute) {
  Tensor y(x.rows(), layer.outputs());
  layer.forward(x.view(), y.view(), compute);
  return y;
}

inline void expect_same(const Tensor& found, const Tensor& expected, const std::string& what) {
  EXPECT_EQ(std::memcmp(found.data(), expected.data(), found.size() * sizeof(float)), 0) << what;
}

}  // namespace nibble::test
