// Quantized codes from one layout into another, as they are, and unquantized weights that lie on a
// grid as codes of it: no weight is rounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/progress.h"
#include "checkpoint/layout.h"
#include "quantize/convert/grid_forms.h"

namespace nibble {

struct ConvertOptions {
  std::string layout;   // empty: gguf for NAME.gguf, otherwise it must be named
  std::string dialect;  // empty: the first that holds all modules without loss
  GridHint grid;        // of unquantized weights: what to look for; its own dialect does not count
  bool replace = false;
  std::uint64_t max_shard_bytes = 5'000'000'000;
  std::uint64_t max_part_bytes = 0;  // of tensors in each part of a GGUF file; 0: one file
};

struct ConvertResult {
  // Layouts; to: empty where nothing in the output is quantized. from: "dense" of weights that lay
  // on a grid.
  std::string from, to, dialect;
  std::map<std::string, std::size_t>
      grids;                     // those found in dense weights, and of how many modules
  std::filesystem::path output;  // what to open: the first part of a file in several
  std::size_t modules = 0;       // quantized ones
  std::uint64_t input_bytes = 0, output_bytes = 0;
};

// `model`: a quantized folder; an unquantized folder or GGUF file whose linear layers all lie on
// grids that the layout has, where a weight is the same once its new form is decoded and rounded to
// its type; or a GGUF file that becomes another one in other parts (max_part_bytes) or, where none
// of its tensors is quantized and no layout is named, a folder. `output` is created; it holds the
// complete checkpoint or what it held before. Every code, scale and zero is checked before anything
// is written, and every weight is read back from the output and compared. Throws kUnsupported
// naming the first module that the layout cannot hold as it is, and why.
ConvertResult convert_model(const std::filesystem::path& model, const std::filesystem::path& output,
                            const ConvertOptions& options, const ProgressSink& progress,
                            const LogSink& log);

// Why codes cannot be stored without loss; empty when they can.
std::string loss_of(const Codes& codes, const Storable& storable);

}  // namespace nibble
