// In which order samples are learnt, and which of them together.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "train/samples.h"
#include "train/training_model.h"

namespace nibble {

// Samples that go through the model in one piece: their numbers.
using Pack = std::vector<std::size_t>;

// For each epoch the samples in an order of its own, packed as they come until a pack would have
// more than `tokens`. The same for the same seed on every machine.
std::vector<Pack> pack_epochs(std::span<const Sample> samples, std::size_t tokens,
                              std::size_t epochs, std::uint64_t seed);
// In their order, once.
std::vector<Pack> pack_in_order(std::span<const Sample> samples, std::size_t tokens);

TrainingBatch batch_of(std::span<const Sample> samples, const Pack& pack);
std::size_t trained_tokens(std::span<const Sample> samples, const Pack& pack);

}  // namespace nibble
