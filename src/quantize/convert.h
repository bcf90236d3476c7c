// Quantized codes from one layout into another, as they are: no weight is rounded again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/progress.h"
#include "checkpoint/layout.h"

namespace nibble {

struct ConvertOptions {
  std::string layout;   // empty: gguf for NAME.gguf, otherwise it must be named
  std::string dialect;  // empty: the first that holds all modules without loss
  bool replace = false;
  std::uint64_t max_shard_bytes = 5'000'000'000;
};

struct ConvertResult {
  std::string from, to, dialect;  // layouts
  std::size_t modules = 0;        // quantized ones
  std::uint64_t input_bytes = 0, output_bytes = 0;
};

// `model`: a quantized folder. `output` is created; it holds the complete checkpoint or what it
// held before. Every code, scale and zero is checked before anything is written, and every weight
// is read back from the output and compared. Throws kUnsupported naming the first module that the
// layout cannot hold as it is, and why; kInvalidArgument when nothing is quantized.
ConvertResult convert_model(const std::filesystem::path& model, const std::filesystem::path& output,
                            const ConvertOptions& options, const ProgressSink& progress,
                            const LogSink& log);

// Why codes cannot be stored without loss; empty when they can.
std::string loss_of(const Codes& codes, const Storable& storable);

}  // namespace nibble
