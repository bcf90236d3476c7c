#include "train/batches.h"

#include <numeric>
#include <utility>

#include "base/random.h"

namespace nibble {
namespace {

void pack(std::span<const Sample> samples, std::span<const std::size_t> order, std::size_t tokens,
          std::vector<Pack>& packs) {
  std::size_t used = tokens;  // of the last pack; the first sample opens one
  for (const std::size_t i : order) {
    const std::size_t length = samples[i].ids.size();
    if (used + length > tokens) {
      packs.emplace_back();
      used = 0;
    }
    packs.back().push_back(i);
    used += length;
  }
}

std::vector<std::size_t> in_order(std::size_t count) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  return order;
}

}  // namespace

std::vector<Pack> pack_epochs(std::span<const Sample> samples, std::size_t tokens,
                              std::size_t epochs, std::uint64_t seed) {
  std::vector<Pack> packs;
  for (std::size_t epoch = 0; epoch < epochs; ++epoch) {
    auto order = in_order(samples.size());
    Random random(seed * 1'000'003 + epoch);
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    pack(samples, order, tokens, packs);
  }
  return packs;
}

std::vector<Pack> pack_in_order(std::span<const Sample> samples, std::size_t tokens) {
  std::vector<Pack> packs;
  pack(samples, in_order(samples.size()), tokens, packs);
  return packs;
}

TrainingBatch batch_of(std::span<const Sample> samples, const Pack& pack) {
  TrainingBatch batch;
  for (const std::size_t s : pack) {
    const Sample& sample = samples[s];
    batch.ids.insert(batch.ids.end(), sample.ids.begin(), sample.ids.end());
    for (std::size_t i = 1; i <= sample.ids.size(); ++i) {
      const bool predicted = i < sample.ids.size() && sample.learnt[i] != 0;
      batch.labels.push_back(predicted ? sample.ids[i] : kNoLabel);
    }
    batch.lengths.push_back(sample.ids.size());
  }
  return batch;
}

std::size_t trained_tokens(std::span<const Sample> samples, const Pack& pack) {
  std::size_t total = 0;
  for (const std::size_t s : pack) total += samples[s].trained_tokens();
  return total;
}

}  // namespace nibble
