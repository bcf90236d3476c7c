// The type of each matrix of a GGUF file where one type for all layers is not what was asked for: a
// mix, everything in one type, or tensors named one by one; and embedding and head, which are no
// layers and whose blocks are found without calibration.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/gguf_mixes.h"
#include "model/source.h"

namespace nibble {

struct QuantizeOptions;
struct Recipe;

struct TypeOptions {
  bool mix = false;             // the dialect is a mix even if a type has that name, too: "Q6_K"
  bool pure = false;            // everything in the dialect's type, embedding and head included
  std::string embedding, head;  // types; empty: as the mix has it, else as they are
  // Regular expression and type: of tensors whose name, GGUF's or the model's, it is found in.
  std::vector<std::pair<std::string, std::string>> tensors;

  bool any() const {
    return mix || pure || !embedding.empty() || !head.empty() || !tensors.empty();
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

// `asked`, its dialect the type of most blocks where it was a mix; `mix` becomes that one's name.
QuantizeOptions with_base_type(const QuantizeOptions& asked, std::string& mix);

// Gives the recipe's modules their own dialects, moves those that no block fits to its tensors, and
// adds embedding and head there. `unusable`: what must stay. Throws kInvalidArgument.
void choose_types(const ModelSource& source, const QuantizeOptions& options,
                  const std::set<std::string>& unusable, Recipe& recipe);

struct StoredTensor {
  std::vector<std::byte> bytes;
  double weight_error = 0;  // ‖W − Ŵ‖² / ‖W‖²
};
StoredTensor stored_tensor(const ModelSource& source, const PlannedTensor& tensor);

// "Q6_K: mlp.down_proj 0-2, 5; lm_head" for each type, that of most weights first.
std::vector<std::string> type_lines(const Recipe& recipe);

}  // namespace nibble
