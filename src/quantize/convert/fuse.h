// A model and its low-rank adapter as one model with 16-bit weights.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/progress.h"

namespace nibble {

struct FuseOptions {
  bool replace = false;  // an existing output
  std::uint64_t max_shard_bytes = 5'000'000'000;
};

struct FuseResult {
  std::size_t fused = 0;     // matrices with an addition
  std::size_t unpacked = 0;  // that were packed and are written as the floats they stand for
  bool untied = false;       // embedding and head are two now
  std::uint64_t bytes = 0;   // of the tensors
};

// `model`: a folder or GGUF file, packed or not; `adapter`: a PEFT folder. Writes a folder in which
// W + scale·B·A, or what DoRA makes of it, stands in W's place, rounded once to the type of the
// model's other weights. Packed layers become the floats they stand for: that is what the adapter
// was trained on. A head tied to the embedding gets a matrix of its own where one of the two has an
// addition.
// Throws what ModelSource and OutputFolder throw; kNumeric where a sum does not fit float16.
FuseResult fuse(const std::filesystem::path& model, const std::filesystem::path& adapter,
                const std::filesystem::path& output, const FuseOptions& options,
                const ProgressSink& progress, const LogSink& log);

}  // namespace nibble
