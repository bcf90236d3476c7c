// Products against sums in double, and under a rain of signals.
#include "nn/matmul.h"

#include <gtest/gtest.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <vector>

#include "base/random.h"

namespace nibble {
namespace {

Tensor random_matrix(std::size_t rows, std::size_t columns, std::uint64_t seed) {
  Random random(seed);
  Tensor out(rows, columns);
  for (std::size_t r = 0; r < rows; ++r)
    for (float& value : std::span(out.view().row(r), columns))
      value = static_cast<float>(random.uniform() * 2 - 1);
  return out;
}

TEST(Matmul, MatchesSumsInDouble) {
  for (const std::size_t rows : {1, 3, 64, 65})
    for (const std::size_t inner : {1, 31, 64, 200}) {
      const std::size_t columns = 48;
      const Tensor x = random_matrix(rows, inner, 1), w = random_matrix(columns, inner, 2);
      Tensor transposed(inner, columns), y(rows, columns), plain(rows, columns);
      for (std::size_t n = 0; n < columns; ++n)
        for (std::size_t k = 0; k < inner; ++k) transposed.view()(k, n) = w.view()(n, k);
      matmul(x.view(), w.view(), y.view());
      matmul_plain(x.view(), ConstMatrix(transposed.view()), plain.view());
      for (std::size_t m = 0; m < rows; ++m)
        for (std::size_t n = 0; n < columns; ++n) {
          double sum = 0;
          for (std::size_t k = 0; k < inner; ++k)
            sum += static_cast<double>(x.view()(m, k)) * static_cast<double>(w.view()(n, k));
          ASSERT_NEAR(y.view()(m, n), sum, 1e-4) << rows << " rows, " << inner << " inner";
          ASSERT_NEAR(plain.view()(m, n), sum, 1e-4) << rows << " rows, " << inner << " inner";
        }
    }
}

volatile std::sig_atomic_t signals_taken = 0;

// As deep as a handler may go.
void overwrite_stack(int) {
  volatile char deep[8192];
  for (volatile char& byte : deep) byte = 0x55;
  signals_taken = signals_taken + 1;
}

// Products of oneDNN keep values below the stack pointer, where a handler's frame would go.
TEST(Matmul, IsTheSameWhileSignalsComeIn) {
  struct sigaction action = {}, before = {};
  action.sa_handler = overwrite_stack;
  sigaction(SIGALRM, &action, &before);
  const itimerval often = {{0, 100}, {0, 100}}, never = {};
  for (const auto& [rows, inner, columns] :
       {std::array<std::size_t, 3>{64, 64, 64}, {64, 448, 64}, {64, 512, 64}, {255, 256, 128}}) {
    // Parts of wider matrices, as attention has them.
    const Tensor all_x = random_matrix(rows, 2 * inner, 3), all_w = random_matrix(inner, 256, 4);
    const ConstMatrix x = ConstMatrix(all_x.view()).columns_at(0, inner);
    const ConstMatrix w = ConstMatrix(all_w.view()).columns_at(0, columns);
    Tensor expected(rows, 512), y(rows, 512);
    matmul_plain(x, w, expected.view().columns_at(0, columns));
    const std::sig_atomic_t enough = signals_taken + 500;
    // A sanitizer may hold signals back.
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    setitimer(ITIMER_REAL, &often, nullptr);
    bool same = true;
    while (signals_taken < enough && same && std::chrono::steady_clock::now() < end) {
      matmul_plain(x, w, y.view().columns_at(0, columns));
      for (std::size_t m = 0; m < rows; ++m)
        same =
            same && std::equal(y.view().row(m), y.view().row(m) + columns, expected.view().row(m));
    }
    setitimer(ITIMER_REAL, &never, nullptr);
    EXPECT_TRUE(same) << rows << " x " << inner << " x " << columns;
  }
  sigaction(SIGALRM, &before, nullptr);
}

}  // namespace
}  // namespace nibble
