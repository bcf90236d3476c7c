// What is asked of the types of a GGUF file's matrices beyond one type for all layers, and what
// comes of it for those that no method quantizes.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/gguf_mixes.h"
#include "model/block.h"

namespace nibble {

struct TypeOptions {
  bool mix = false;             // the dialect is a mix even if a type has that name, too: "Q6_K"
  bool pure = false;            // everything in the dialect's type, embedding and head included
  std::string embedding, head;  // types; empty: as the mix has it, else as they are
  std::string layers;           // of all layers: a type whose codes no method chooses
  // Regular expression and type: of tensors whose name, GGUF's or the model's, it is found in.
  std::vector<std::pair<std::string, std::string>> tensors;

  bool any() const {
    return mix || pure || !embedding.empty() || !head.empty() || !layers.empty() ||
           !tensors.empty();
  }
};

// A matrix that is stored in another type without a method.
struct PlannedTensor {
  std::string name;    // in the checkpoint: "model.embed_tokens.weight"
  std::string module;  // "embed_tokens", "lm_head", "model.layers.0.mlp.down_proj"
  GgufPart part = GgufPart::kEmbedding;
  std::size_t layer = 0;
  GgufType type;
  std::size_t rows = 0, columns = 0;

  TensorInfo info() const;
};

GgufPart gguf_part_of(Role role);

}  // namespace nibble
