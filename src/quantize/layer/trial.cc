#include "quantize/layer/trial.h"

#include <cmath>

#include "base/memory.h"
#include "base/random.h"

namespace nibble {
namespace {

// Inputs of unlike sizes, neighbours alike: close enough to a layer's to keep the search busy.
Tensor made_up_hessian(std::size_t columns, Random& random) {
  std::vector<float> size(columns);
  for (float& s : size) s = static_cast<float>(std::exp(0.7 * random.normal()));
  Tensor hessian(columns, columns);
  for (std::size_t i = 0; i < columns; ++i)
    for (std::size_t j = 0; j < columns; ++j) {
      const std::size_t apart = i > j ? i - j : j - i;
      hessian.view()(i, j) = size[i] * size[j] *
                             (apart == 0 ? 1.0f : 0.6f * std::pow(0.9f, static_cast<float>(apart)));
    }
  return hessian;
}

}  // namespace

double trial_seconds(const Method& method, const Grid& grid, std::size_t group_size,
                     const Storable& storable, const Options& options) {
  const std::size_t columns =
      group_size >= kTrialColumns ? kTrialColumns : kTrialColumns / group_size * group_size;
  Random random(1);
  Tensor weight(kTrialRows, columns);
  for (std::size_t i = 0; i < weight.size(); ++i)
    weight.data()[i] = static_cast<float>(0.02 * random.normal());
  const Tensor hessian =
      method.needs == Needs::kHessian ? made_up_hessian(columns, random) : Tensor();
  Task task;
  task.weight = weight.view();
  task.grid = &grid;
  task.group_size = std::min(group_size, columns);
  task.storable = storable;
  task.hessian = hessian.view();
  task.options = options;
  double best = INFINITY;
  for (int round = 0; round < 2; ++round) {  // the first one starts threads
    const double start = cpu_seconds();
    method.quantize(task);
    best = std::min(best, cpu_seconds() - start);
  }
  return best / static_cast<double>(weight.size());
}

}  // namespace nibble
