// A model with random weights, to be trained from the start.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/progress.h"
#include "nibble/dtype.h"

namespace nibble {

struct NewModelOptions {
  std::filesystem::path tokenizer;  // a folder with its files, or tokenizer.json itself
  // "qwen3", as model/specs/list.def has it; empty: the plainest there is. Architectures that are
  // more than norms, attention and a gated MLP are refused.
  std::string architecture = {};
  std::size_t hidden = 256, layers = 6, heads = 4;
  std::size_t kv_heads = 0;    // 0: as many as heads
  std::size_t head_dim = 0;    // 0: hidden / heads
  std::size_t mlp_hidden = 0;  // 0: 8/3 of hidden, the next multiple of 32
  std::size_t context = 512;   // positions it is made for
  double rope_theta = 10000;
  double norm_epsilon = 1e-5;
  bool tied_head = true;      // head and embedding are one matrix
  DType dtype = DType::kF32;  // or kBF16
  std::uint64_t seed = 0;
  bool replace = false;  // an existing output
};

struct NewModel {
  std::uint64_t parameters = 0;  // a tied matrix once
  std::uint64_t bytes = 0;       // of the tensors
  std::size_t vocabulary = 0;    // the tokenizer's
};

// What make_new_model would make. Throws what it throws before it writes.
NewModel plan_new_model(const NewModelOptions& options);

// Writes a Hugging Face folder: config.json, weights, the tokenizer's files, a passport. Weights
// are normal with deviation 0.02, those whose output is added to the hidden states (o_proj,
// down_proj) 0.02 / √(2 · layers) (GPT-2's choice), gains of norms 1; there are no biases. The same
// bytes for the same seed on any machine, with any number of threads.
// Throws kInvalidArgument for options that make no sense, kUnsupported for an architecture or type
// that it does not make, and what Tokenizer::open and create_plain_folder throw.
NewModel make_new_model(const std::filesystem::path& output, const NewModelOptions& options,
                        const ProgressSink& progress = {});

}  // namespace nibble
