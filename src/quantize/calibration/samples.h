// The calibration samples on their way through the model.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "model/block.h"
#include "quantize/calibration/activation_store.h"

namespace nibble {

// Activations of all samples at one place of the model.
struct Stream {
  std::unique_ptr<ActivationStore> hidden;  // [count · length, hidden]; advanced by one block
  std::unique_ptr<ActivationStore> middle;  // [count · length, widest layer input]; scratch
};

struct Samples {
  std::size_t count = 0;   // windows
  std::size_t length = 0;  // tokens in a window
  Stream quantized;        // as the quantized blocks before give it
  // As the original blocks give it, for the first `followed` windows.
  Stream original;
  std::size_t followed = 0;
  std::size_t tokens() const { return count * length; }
};

// Windows whose activations are computed together.
std::size_t chunk_windows(std::size_t length);

// Runs whole windows of `length` tokens through a block's stages: `use` gets each stage's input
// once, in order. hidden [tokens, hidden] has the attention's output added then, not yet the MLP's,
// which Block::mlp_output adds from the last input.
using UseInput = std::function<void(Stage stage, ConstMatrix input)>;
void for_stage_inputs(const Block& block, Matrix hidden, std::size_t length, Compute compute,
                      const UseInput& use);

}  // namespace nibble
