#include "quantize/plan.h"

#include <algorithm>
#include <chrono>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/text.h"
#include "nibble/error.h"
#include "nn/matmul.h"
#include "quantize/activation_store.h"
#include "quantize/block_cost.h"
#include "quantize/samples.h"

namespace nibble {
namespace {

// float32 operations each second on all threads, from one product of a layer's size.
double measured_speed() {
  constexpr std::size_t kSize = 512;
  Tensor x(kSize, kSize), w(kSize, kSize);
  x.fill(0.5f);
  w.fill(0.25f);
  const auto tiles = static_cast<std::size_t>(threads()) * 2;
  std::vector<Tensor> y(tiles);
  for (Tensor& tile : y) tile = Tensor(kSize, kSize);
  double best = 0;
  for (int round = 0; round < 3; ++round) {
    const auto start = std::chrono::steady_clock::now();
    parallel_for(tiles, [&](std::size_t i) { matmul(x.view(), w.view(), y[i].view()); });
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    best =
        std::max(best, 2.0 * kSize * kSize * kSize * static_cast<double>(tiles) / elapsed.count());
  }
  return best;
}

std::uint64_t widest(const HyperParams& hyper) {
  return std::max({hyper.hidden, hyper.mlp_hidden, hyper.heads * hyper.head_dim});
}

// Memory while one module is being quantized, besides the stored activations.
std::uint64_t working_memory(const HyperParams& hyper, const Recipe& recipe, std::size_t length,
                             bool calibrated, bool hessian) {
  const std::uint64_t square_bytes = !hessian ? 0 : recipe.followed_windows(1) > 0 ? 32 : 20;
  std::uint64_t module = 0;
  for (const PlannedModule& planned : recipe.modules) {
    // Weights, their compensated copy, codes; the Hessian in float and its factor in double; the
    // drift, its correction and what it is made from.
    const CodeShape& shape = planned.shape;
    const std::uint64_t elements = static_cast<std::uint64_t>(shape.rows) * shape.columns;
    const std::uint64_t square = static_cast<std::uint64_t>(shape.columns) * shape.columns;
    module = std::max(module, elements * 11 + square * square_bytes);
  }
  if (!calibrated) return module;
  const std::uint64_t chunk = chunk_windows(length) * length;
  const std::uint64_t chunk_bytes =
      chunk * (2 * hyper.hidden + 3 * hyper.mlp_hidden) * sizeof(float);
  return module + chunk_bytes;
}

}  // namespace

Plan make_plan(const ModelSource& source, const Recipe& recipe, const QuantizeOptions& options,
               const std::vector<TensorInfo>& output, std::size_t samples, std::size_t length) {
  const HyperParams& hyper = source.hyper();
  const bool hessian = std::any_of(
      recipe.modules.begin(), recipe.modules.end(),
      [](const PlannedModule& module) { return module.method->needs == Needs::kHessian; });
  const bool calibrated = samples > 0;
  const std::size_t tokens = samples * length;
  Plan plan;
  plan.layers = hyper.layers;
  plan.modules = recipe.modules.size();
  for (const TensorInfo& info : source.checkpoint().tensors()) plan.input_bytes += info.bytes;
  for (const TensorInfo& info : output) plan.output_bytes += info.bytes;

  double weights = 0, bits = 0;
  for (const PlannedModule& module : recipe.modules) {
    const double elements =
        static_cast<double>(module.shape.rows) * static_cast<double>(module.shape.columns);
    weights += elements;
    bits += elements * recipe.layout->bits_per_weight(module.shape, recipe.layout_settings.dialect);
  }
  plan.bits_per_weight = bits / weights;

  const std::size_t followed = recipe.followed_windows(samples) * length;
  const std::uint64_t activations =
      !calibrated ? 0
                  : ActivationStore::bytes(tokens + followed, hyper.hidden, Compute::kFloat32) +
                        ActivationStore::bytes(tokens + followed, widest(hyper), options.compute);
  const std::uint64_t work = working_memory(hyper, recipe, length, calibrated, hessian);
  plan.memory_limit = options.memory_limit != 0 ? options.memory_limit : available_memory();
  plan.spill = activations + work > plan.memory_limit;
  plan.peak_memory = work + (plan.spill ? 0 : activations);
  if (plan.peak_memory > plan.memory_limit)
    throw Error(ErrorKind::kResource,
                cat("the job needs ", human_bytes(plan.peak_memory),
                    " of memory even with its "
                    "activations on disk; ",
                    human_bytes(plan.memory_limit), " may be used"),
                "use a smaller --seq-len, or raise --memory");

  const BlockCost cost = block_cost(hyper, tokens, followed, length, hessian);
  const double blocks = static_cast<double>(hyper.layers);
  plan.operations = blocks * (calibrated ? cost.forward + cost.hessian + cost.solve : 0);
  const Options& first = recipe.modules.front().options;
  const bool textbook = first.has("scales") && first.text("scales") == "absmax";
  const double scale_search = weights * (textbook ? 5e-9 : 5e-8);
  plan.seconds = plan.operations / measured_speed() * 1.5 + scale_search / threads();
  return plan;
}

}  // namespace nibble
