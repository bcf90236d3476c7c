// Layers together give what each gives alone, on every instruction set of this CPU.
#include "nn/joint_forward.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>

#include "base/random.h"
#include "formats/block_format.h"
#include "kernels/kernels.h"
#include "nn/block_linear.h"
#include "nn/dense_linear.h"
#include "tensor/half.h"

namespace nibble {
namespace {

constexpr std::size_t kInputs = 64;

struct RestoreChoice {
  ~RestoreChoice() { select_kernels("auto"); }
};

// Blocks of Q4_0: a float16 scale and 16 bytes of codes.
std::vector<std::byte> random_q4_0(std::size_t rows, std::uint64_t seed) {
  Random random(seed);
  std::vector<std::byte> bytes(rows * kInputs / 32 * 18);
  for (std::size_t at = 0; at < bytes.size(); at += 18) {
    const auto scale = float_to_half(static_cast<float>(random.uniform() - 0.5));
    std::memcpy(&bytes[at], &scale, 2);
    for (std::size_t i = 2; i < 18; ++i)
      bytes[at + i] = static_cast<std::byte>(256 * random.uniform());
  }
  return bytes;
}

struct Layer {
  std::vector<std::byte> bytes;
  std::unique_ptr<Linear> linear;

  Layer(std::size_t outputs, std::uint64_t seed, std::vector<float> bias = {})
      : bytes(random_q4_0(outputs, seed)) {
    for (const BlockFormat* format : block_formats::all())
      if (format->name == "Q4_0")
        linear = block_linear(*format, bytes, outputs, kInputs, {}, std::move(bias));
    linear->prepare(Compute::kInt8);
  }
};

Tensor random_input(std::size_t rows) {
  Random random(rows);
  Tensor x(rows, kInputs);
  for (std::size_t i = 0; i < x.size(); ++i)
    x.data()[i] = static_cast<float>(random.uniform() - 0.5);
  return x;
}

void expect_same(Tensor& found, Tensor& expected, const std::string& what) {
  for (std::size_t i = 0; i < found.size(); ++i)
    ASSERT_EQ(found.data()[i], expected.data()[i]) << what << " at " << i;
}

// Calls check(rows of x) with each table chosen.
template <typename Check>
void on_all_tables(const Check& check) {
  const RestoreChoice restore;
  for (const char* const* name = runnable_kernels(); *name != nullptr; ++name)
    for (const std::size_t rows : {1u, 4u, 11u, 40u, 130u}) {
      select_kernels(*name);
      check(rows, std::string(*name) + " " + std::to_string(rows));
    }
}

TEST(JointForward, LayersTogetherGiveWhatEachGives) {
  // The second has a bias, the third ends within a panel.
  const Layer first(96, 1), second(32, 2, std::vector<float>(32, 0.25f)), third(40, 3);
  on_all_tables([&](std::size_t rows, const std::string& what) {
    const Tensor x = random_input(rows);
    for (const Layer* other : {&second, &third}) {
      const std::array<const Linear*, 2> layers = {first.linear.get(), other->linear.get()};
      Tensor y0(rows, 96), y1(rows, layers[1]->outputs());
      Tensor alone0(rows, 96), alone1(rows, layers[1]->outputs());
      forward_together(std::array<LayerOutput, 2>{{{layers[0], y0.view()}, {layers[1], y1.view()}}},
                       x.view(), Compute::kInt8);
      layers[0]->forward(x.view(), alone0.view(), Compute::kInt8);
      layers[1]->forward(x.view(), alone1.view(), Compute::kInt8);
      expect_same(y0, alone0, what);
      expect_same(y1, alone1, what);
    }
  });
}

TEST(JointForward, AGateWithoutAWholeIntermediateGivesTheSame) {
  const Layer gate(160, 4), up(160, 5), odd_gate(40, 6), odd_up(40, 7);
  const Layer biased(160, 8, std::vector<float>(160, 0.5f));
  on_all_tables([&](std::size_t rows, const std::string& what) {
    const Tensor x = random_input(rows);
    for (const auto& [g, u] :
         {std::pair{&gate, &up}, std::pair{&odd_gate, &odd_up}, std::pair{&gate, &biased}}) {
      const std::size_t outputs = g->linear->outputs();
      Tensor out(rows, outputs), expected(rows, outputs), values(rows, outputs);
      forward_gated(*g->linear, *u->linear, kernels().silu_multiply, x.view(), out.view(),
                    Compute::kInt8);
      g->linear->forward(x.view(), expected.view(), Compute::kInt8);
      u->linear->forward(x.view(), values.view(), Compute::kInt8);
      for (std::size_t r = 0; r < rows; ++r)
        kernels().silu_multiply(expected.view().row(r), values.view().row(r),
                                expected.view().row(r), outputs);
      expect_same(out, expected, what);
    }
  });
}

}  // namespace
}  // namespace nibble
