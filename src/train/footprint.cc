#include "train/footprint.h"

#include <algorithm>

#include "nibble/process.h"
#include "nn/backward/cross_entropy.h"
#include "train/packed_base.h"

namespace nibble {
namespace {

constexpr std::uint64_t kFloat = sizeof(float);
constexpr std::uint64_t kScratch = 16u << 20;
constexpr std::size_t kDecodedRows = 1024;  // as Linear::add_input_gradient takes them

}  // namespace

Footprint training_footprint(const ModelSource& source, const LoraOptions& lora,
                             const std::string& base, std::size_t tokens, Compute compute) {
  const HyperParams& hyper = source.hyper();
  const std::uint64_t query = hyper.heads * hyper.head_dim, kv = hyper.kv_heads * hyper.head_dim;
  Footprint footprint;
  std::size_t widest = hyper.hidden;
  for (std::size_t layer = 0; layer < hyper.layers; ++layer) {
    const Block block = source.block(layer);
    for (std::size_t role = 0; role < kRoles; ++role) {
      const Linear& linear = *block.linears[role];
      footprint.base_values += linear.inputs() * linear.outputs();
      widest = std::max(widest, linear.inputs());
      if (is_target(lora, static_cast<Role>(role)))
        footprint.trained_values += lora.rank * (linear.inputs() + linear.outputs()) +
                                    (lora.magnitude ? linear.outputs() : 0);
    }
  }
  if (!base.empty())
    footprint.base = static_cast<std::uint64_t>(packed_bits(base, compute) / 8 *
                                                static_cast<double>(footprint.base_values));
  footprint.adapter = footprint.trained_values * 4 * kFloat;
  footprint.inputs = hyper.layers * tokens * hyper.hidden * kFloat;
  // What BlockPass keeps, and the largest set of gradients that exists beside it: that of the gated
  // product, or that of attention, whose keys and values have one for each query head at first.
  const std::uint64_t kept = 7 * hyper.hidden + 2 * query + 2 * kv + 3 * hyper.mlp_hidden;
  const std::uint64_t back =
      3 * hyper.hidden + std::max<std::uint64_t>(hyper.mlp_hidden, 4 * query + 2 * kv);
  footprint.block = tokens * (kept + back) * kFloat;
  footprint.head = kHeadTokens * (hyper.vocabulary + 2 * hyper.hidden) * kFloat;
  footprint.decoded = std::min(kDecodedRows, hyper.mlp_hidden) * widest * kFloat;
  footprint.block += 4 * tokens * lora.rank * kFloat;
  footprint.scratch = kScratch;
  return footprint;
}

}  // namespace nibble
