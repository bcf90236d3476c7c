// Continues token sequences.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/progress.h"
#include "model/sampler.h"
#include "model/transformer.h"

namespace nibble {

struct GenerateOptions {
  std::size_t max_tokens = 128;
  SamplerOptions sampler;
  std::vector<std::int32_t> stop;  // ids that end the text; they are not part of the result
  Compute compute = Compute::kFloat32;
  std::optional<KvType> kv;  // none: what the arithmetic wants
  KvType kv_type() const { return kv.value_or(kv_type_for(compute)); }
};

struct Generated {
  std::vector<std::int32_t> ids;  // without the prompt
  bool stopped = false;           // by a stop id, not by max_tokens or a full context
  double prompt_seconds = 0;
  double generate_seconds = 0;  // of all tokens after the first
};

// `on_token` sees each id as it comes; answering false ends the text.
// Throws kInvalidArgument when the prompt is empty or longer than the model's context.
Generated generate(const Transformer& model, std::span<const std::int32_t> prompt,
                   const GenerateOptions& options,
                   const std::function<bool(std::int32_t)>& on_token = {});

// The same for a conversation that goes on: `tokens` are the whole sequence, of which `cache` has
// the first already, all but one at most. The cache grows with the sequence, up to the context.
Generated generate(const Transformer& model, KvCache& cache, std::span<const std::int32_t> tokens,
                   const GenerateOptions& options,
                   const std::function<bool(std::int32_t)>& on_token = {});

struct WriteOptions {
  std::size_t sequences = 128;
  std::size_t length = 512;  // tokens in each, its first one included
  std::uint64_t seed = 0;
  Compute compute = Compute::kFloat32;
  ProgressSink progress;
};

// Text of the model's own: each sequence starts from BOS, or from a random token where the model
// has none, and is sampled at temperature 1. Many sequences advance together.
std::vector<std::vector<std::int32_t>> write_text(const Transformer& model,
                                                  const WriteOptions& options);

}  // namespace nibble
