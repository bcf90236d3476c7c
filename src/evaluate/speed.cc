#include "evaluate/speed.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/parallel.h"
#include "base/progress.h"
#include "base/random.h"
#include "base/text.h"
#include "kernels/kernels.h"
#include "nibble/error.h"
#include "nn/inputs/bfloat16_rows.h"
#include "nn/matmul.h"
#include "nn/panels/bfloat16_panels.h"

namespace nibble {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Runs `work` on each thread and answers what the best of several runs took.
template <typename Work>
double best_of(int runs, const Work& work) {
  double best = INFINITY;
  for (int run = 0; run < runs; ++run) {
    const auto start = Clock::now();
    parallel_for(static_cast<std::size_t>(threads()), work);
    best = std::min(best, since(start));
  }
  return best;
}

double read_rate() {
  constexpr std::size_t kRows = 16384, kColumns = 2048;  // 128 MiB for each thread: no cache
  std::vector<Tensor> parts, sums;
  for (int i = 0; i < threads(); ++i) {
    parts.emplace_back(kRows, kColumns);
    parts.back().fill(1);
    sums.emplace_back(1, kRows);
  }
  const double seconds = best_of(5, [&](std::size_t i) {
    kernels().gemv_float(parts[i].data(), kColumns, parts[i].data(), kRows, kColumns,
                         sums[i].data());
  });
  return static_cast<double>(parts.size() * kRows * kColumns * sizeof(float)) / seconds;
}

// `spin` makes products in registers alone and says how many.
double spin_rate(std::size_t (*spin)(std::size_t rounds), std::size_t rounds) {
  std::vector<std::size_t> products(static_cast<std::size_t>(threads()));
  const double seconds = best_of(5, [&](std::size_t i) { products[i] = spin(rounds); });
  return 2.0 * static_cast<double>(products[0]) * static_cast<double>(products.size()) / seconds;
}

double float_rate() {
  if (has_bfloat16_panels()) return spin_rate(kernels().tiles->spin, 1 << 18);
  constexpr std::size_t kSide = 768;
  Tensor x(kSide, kSide);
  x.fill(1);
  std::vector<Tensor> out;
  for (int i = 0; i < threads(); ++i) out.emplace_back(kSide, kSide);
  const auto small = to_bfloat16(x.view());
  const MatrixView<const std::uint16_t> rounded(small.data(), kSide, kSide);
  const double seconds = best_of(5, [&](std::size_t i) {
    if (cpu_has_bfloat16())
      matmul(rounded, rounded, out[i].view());
    else
      matmul(x.view(), x.view(), out[i].view());
  });
  return 2.0 * kSide * kSide * kSide * static_cast<double>(out.size()) / seconds;
}

// Each cache with as many of the ids.
std::vector<Continuation> shared_out(std::vector<KvCache>& caches,
                                     std::span<const std::int32_t> ids) {
  const std::size_t length = ids.size() / caches.size();
  std::vector<Continuation> batch;
  for (KvCache& cache : caches)
    batch.push_back({&cache, ids.subspan(batch.size() * length, length)});
  return batch;
}

std::vector<std::int32_t> random_ids(std::size_t count, std::size_t vocabulary, Random& random) {
  std::vector<std::int32_t> ids(count);
  for (auto& id : ids)
    id = static_cast<std::int32_t>(random.uniform() * static_cast<double>(vocabulary));
  return ids;
}

}  // namespace

Ceilings measure_ceilings() {
  return {read_rate(), spin_rate(kernels().spin_int8, 1 << 22), float_rate(),
          cpu_has_bfloat16() ? "bf16" : "f32"};
}

Ceilings highest(const Ceilings& first, const Ceilings& second) {
  return {std::max(first.read_bytes, second.read_bytes), std::max(first.int8_ops, second.int8_ops),
          std::max(first.float_ops, second.float_ops), first.float_name};
}

CeilingShare share_of(const Ceilings& ceilings, const SpeedTest& test, const SpeedResult& result,
                      double rate, bool int8) {
  const double arithmetic = int8 ? ceilings.int8_ops : ceilings.float_ops;
  const double by_products = rate * result.ops / static_cast<double>(result.tokens) / arithmetic;
  const double by_reading =
      rate / static_cast<double>(test.parallel) * result.bytes / ceilings.read_bytes;
  if (test.prompt == 0 && by_reading > by_products) return {by_reading, "read"};
  return {by_products, int8 ? "int8" : ceilings.float_name};
}

double quantile(const std::vector<double>& values, double share) {
  const auto last = static_cast<double>(values.size() - 1);
  return values[static_cast<std::size_t>(std::lround(share * last))];
}

SpeedResult measure_speed(const Transformer& model, const SpeedTest& test, std::size_t repetitions,
                          Compute compute, KvType kv) {
  const HyperParams& hyper = model.hyper();
  const std::size_t most = test.depth + std::max(test.prompt, test.generate);
  if (most > hyper.context)
    throw Error(ErrorKind::kInvalidArgument,
                cat("the test needs ", most, " positions; the model has ", hyper.context));
  Random random(0);
  std::vector<KvCache> caches;
  for (std::size_t i = 0; i < test.parallel; ++i) caches.emplace_back(hyper, most, kv);
  if (test.depth > 0) {
    const auto ids = random_ids(test.depth * test.parallel, hyper.vocabulary, random);
    model.extend(shared_out(caches, ids), compute);
  }

  SpeedResult result;
  result.tokens = (test.prompt > 0 ? test.prompt : test.generate) * test.parallel;
  const auto mean_depth = static_cast<double>(test.depth) + static_cast<double>(test.generate) / 2;
  result.bytes = static_cast<double>(model.weight_bytes()) +
                 static_cast<double>(test.parallel) * mean_depth *
                     static_cast<double>(KvCache::bytes_per_token(hyper, kv));
  result.ops =
      2.0 * static_cast<double>(model.block_weights()) * static_cast<double>(result.tokens);
  const std::size_t runs = repetitions + 1;  // the first warms up
  for (std::size_t run = 0; run < runs; ++run) {
    throw_if_stopped();
    for (KvCache& cache : caches) cache.truncate(test.depth);
    if (test.prompt > 0) {
      const auto ids = random_ids(test.prompt * test.parallel, hyper.vocabulary, random);
      const auto start = Clock::now();
      model.extend(shared_out(caches, ids), compute);
      if (run > 0) result.seconds.push_back(since(start));
      continue;
    }
    const std::size_t steps = run > 0 ? test.generate : std::min<std::size_t>(4, test.generate);
    const auto start = Clock::now();
    for (std::size_t step = 0; step < steps; ++step) {
      const auto ids = random_ids(test.parallel, hyper.vocabulary, random);
      const auto before = Clock::now();
      model.extend(shared_out(caches, ids), compute);
      if (run > 0) result.token_seconds.push_back(since(before));
    }
    if (run > 0) result.seconds.push_back(since(start));
  }
  std::sort(result.token_seconds.begin(), result.token_seconds.end());
  return result;
}

}  // namespace nibble
