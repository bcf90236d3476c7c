#include "quantize/plan.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <numeric>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/text.h"
#include "nibble/error.h"
#include "nn/matmul.h"
#include "quantize/block_cost.h"
#include "quantize/calibration/activation_store.h"
#include "quantize/calibration/samples.h"
#include "quantize/layer/rounder.h"
#include "quantize/layer/trial.h"
#include "tensor/half.h"

namespace nibble {
namespace {

// What a thread spends on a weight around the method: decoding it, packing, writing. Measured on
// SmolLM2-135M, see docs/performance.md.
constexpr double kPackSeconds = 2e-8;
// What share of the rate of bare products is reached by factors in double, and by forward passes
// and moments, with their norms, attention and conversions.
constexpr double kDoubleShare = 0.28, kSampledShare = 0.5;

double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Operations each second on all threads, from products x · wᵀ of a layer's size. Threads count
// their own processor time: what other programs do now says little about the next hours.
template <typename Element>
double measured_speed(Element half) {
  constexpr std::size_t kSize = 512;
  const std::vector<Element> values(kSize * kSize, half);
  const MatrixView<const Element> x(values.data(), kSize, kSize);
  const auto tiles = static_cast<std::size_t>(threads()) * 4;
  std::vector<Tensor> y(tiles);
  for (Tensor& tile : y) tile = Tensor(kSize, kSize);
  std::vector<double> seconds(tiles);
  double best = 0;
  for (int round = 0; round < 3; ++round) {
    parallel_for(tiles, [&](std::size_t i) {
      const double start = thread_seconds();
      matmul(x, x, y[i].view());
      seconds[i] = thread_seconds() - start;
    });
    const double all = std::accumulate(seconds.begin(), seconds.end(), 0.0);
    best = std::max(best, 2.0 * kSize * kSize * kSize * static_cast<double>(tiles) / all);
  }
  return best * threads();
}

// What the method's own loops spend on a weight, in seconds of one thread: a trial, less its
// products, whose share grows with the layer. `speed`: of one thread.
double loop_seconds(const PlannedModule& module, double speed) {
  const double growth = std::pow(static_cast<double>(module.shape.columns) / kTrialColumns,
                                 module.method->cost_power);
  const double all =
      growth * trial_seconds(*module.method, *module.shape.grid, module.shape.group_size,
                             module.storable, module.options);
  if (module.method->needs != Needs::kHessian) return all;
  const ModuleCost products =
      module_cost(kTrialRows, kTrialColumns, !textbook_scales(module.options));
  const double weights = static_cast<double>(kTrialRows * kTrialColumns);
  return std::max(0.0, all - (products.products + products.solve / kDoubleShare) / speed / weights);
}

std::uint64_t widest(const HyperParams& hyper) {
  return std::max({hyper.hidden, hyper.mlp_hidden, hyper.heads * hyper.head_dim});
}

// Memory while one module is being quantized, besides the stored activations.
std::uint64_t working_memory(const HyperParams& hyper, const Recipe& recipe, std::size_t length,
                             bool calibrated, bool hessian) {
  const std::uint64_t square_bytes = !hessian ? 0 : recipe.followed_windows(1) > 0 ? 20 : 16;
  std::uint64_t module = 0;
  for (const PlannedModule& planned : recipe.modules) {
    // Weights, their compensated copy, codes; the Hessian, its factor in double and then in float;
    // beside these the drift, its correction and what it is made from.
    const CodeShape& shape = planned.shape;
    const std::uint64_t elements = static_cast<std::uint64_t>(shape.rows) * shape.columns;
    const std::uint64_t square = static_cast<std::uint64_t>(shape.columns) * shape.columns;
    module = std::max(module, elements * 11 + square * square_bytes);
  }
  for (const PlannedTensor& tensor : recipe.tensors) module = std::max(module, tensor.info().bytes);
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
  plan.modules = recipe.modules.size() + recipe.tensors.size();
  for (const TensorInfo& info : source.checkpoint().tensors()) plan.input_bytes += info.bytes;
  for (const TensorInfo& info : output) plan.output_bytes += info.bytes;

  double weights = 0, bits = 0;
  for (const PlannedModule& module : recipe.modules) {
    const double elements =
        static_cast<double>(module.shape.rows) * static_cast<double>(module.shape.columns);
    weights += elements;
    bits += elements * recipe.layout->bits_per_weight(
                           module.shape, recipe.layout_settings.of_module(module.name));
  }
  const bool blocks = !recipe.modules.empty() ||
                      std::any_of(recipe.tensors.begin(), recipe.tensors.end(),
                                  [](const PlannedTensor& t) { return t.type.blocks != nullptr; });
  for (const PlannedTensor& tensor : recipe.tensors) {
    if (blocks && tensor.type.blocks == nullptr) continue;
    weights += static_cast<double>(tensor.rows) * static_cast<double>(tensor.columns);
    bits += 8 * static_cast<double>(tensor.info().bytes);
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

  const bool methods = !recipe.modules.empty();  // else all layers have types without one
  const bool textbook = methods && textbook_scales(recipe.modules.front().options);
  const BlockCost cost = block_cost(hyper, tokens, followed, length, hessian, !textbook);
  const double sampled = (calibrated ? cost.forward : 0) + cost.hessian;
  const double exact = cost.products + cost.solve / kDoubleShare;
  plan.operations = static_cast<double>(hyper.layers) * (sampled + cost.products + cost.solve);
  const double speed = measured_speed(0.5f);
  const double sample_speed = options.compute == Compute::kBfloat16 && sampled > 0
                                  ? measured_speed(float_to_bfloat16(0.5f))
                                  : speed;
  const double each =
      kPackSeconds + (methods ? loop_seconds(recipe.modules.front(), speed / threads()) : 0);
  plan.seconds = static_cast<double>(hyper.layers) *
                     (sampled / (kSampledShare * sample_speed) + exact / speed) +
                 weights * each / threads();
  return plan;
}

}  // namespace nibble
