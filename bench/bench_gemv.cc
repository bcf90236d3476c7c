// How fast are one vector's products with float and packed matrices, beside plain reading?
//
// usage: bench_gemv [SECONDS]      matrices of 4096 x 4096, together larger than the caches
#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "base/random.h"
#include "bench/harness.h"
#include "formats/format.h"
#include "kernels/kernels.h"
#include "nn/dense_linear.h"
#include "nn/packed_linear.h"

namespace nibble::bench {
namespace {

constexpr std::size_t kSize = 4096;
constexpr std::size_t kBytes = std::size_t{256} << 20;  // of weights passed over in each run

double seconds = 0.5;

void report(const std::string& what, double bytes, double weights, const Timing& timing) {
  fmt::print("{:<8} {:<7} {:>2} threads {:>7.1f} GB/s {:>7.1f} Gweights/s  (best {:.1f} GB/s)\n",
             kernels().name, what, threads(), bytes / timing.median_s * 1e-9,
             weights / timing.median_s * 1e-9, bytes / timing.fastest_s * 1e-9);
}

// What memory gives when nothing is done with it: a sum over every cache line.
void read_bandwidth(const std::vector<std::uint64_t>& words) {
  constexpr std::size_t kTile = 1 << 17;
  std::vector<std::uint64_t> sums(words.size() / kTile);
  const Timing timing = measure(seconds, [&] {
    parallel_for(sums.size(), [&](std::size_t tile) {
      std::uint64_t sum[8] = {};
      const std::uint64_t* from = words.data() + tile * kTile;
      for (std::size_t i = 0; i < kTile; i += 8)
        for (std::size_t k = 0; k < 8; ++k) sum[k] += from[i + k];
      for (const std::uint64_t part : sum) sums[tile] += part;
    });
  });
  report("reading", static_cast<double>(words.size() * 8), 0, timing);
}

void products(const std::vector<std::unique_ptr<Linear>>& layers) {
  Tensor x(1, kSize), y(1, kSize);
  x.fill(1);
  std::size_t bytes = 0;
  for (const auto& layer : layers) bytes += layer->bytes();
  const Timing timing = measure(seconds, [&] {
    for (const auto& layer : layers) layer->forward(x.view(), y.view(), Compute::kFloat32);
  });
  report(layers[0]->kind().substr(0, 4), static_cast<double>(bytes),
         static_cast<double>(layers.size() * kSize * kSize), timing);
}

void dense(DType dtype, std::span<const std::byte> bytes) {
  const std::size_t each = kSize * kSize * static_cast<std::size_t>(bits(dtype)) / 8;
  std::vector<std::unique_ptr<Linear>> layers;
  for (std::size_t at = 0; at + each <= bytes.size(); at += each)
    layers.push_back(dense_linear(bytes.subspan(at, each), dtype, kSize, kSize));
  products(layers);
}

void packed(int bits) {
  Codes codes = make_codes(grids::uniform(bits), kSize, kSize, 128);
  Random random(static_cast<std::uint64_t>(bits));
  for (auto& code : codes.codes) code = static_cast<std::uint8_t>(random.below(1u << bits));
  for (auto& scale : codes.scales) scale = 0.01f;
  for (auto& zero : codes.zeros) zero = static_cast<float>(1 << (bits - 1));
  const PackedMatrix matrix = pack(codes);
  std::vector<std::unique_ptr<Linear>> layers;
  for (std::size_t bytes = 0; bytes < kBytes; bytes += matrix.bytes())
    layers.push_back(packed_linear(matrix));
  products(layers);
}

void run() {
  const std::vector<std::uint64_t> words(kBytes / 8, 0x3C003C003C003C00);
  const auto bytes = std::as_bytes(std::span(words));
  fmt::print("{}\n", cpu_description());
  for (const char* const* isa = runnable_kernels(); *isa != nullptr; ++isa) {
    select_kernels(isa[0]);
    if (std::string(*isa) == "scalar") continue;  // a specification, not a choice
    for (int count = 1; count <= available_threads(); count *= 2) {
      set_threads(count);
      read_bandwidth(words);
      dense(DType::kF32, bytes);
      dense(DType::kBF16, bytes);
      dense(DType::kF16, bytes);
      for (const Format* format : formats::all()) packed(format->bits);
    }
  }
}

}  // namespace
}  // namespace nibble::bench

int main(int count, char** arguments) {
  if (count > 1) nibble::bench::seconds = std::atof(arguments[1]);
  nibble::bench::run();
}
