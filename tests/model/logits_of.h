// What a model in a folder or file computes, opened anew.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "model/source.h"
#include "model/transformer.h"
#include "nibble/tensor.h"

namespace nibble::test {

// [ids, vocabulary], in float32; with an adapter or without.
inline Tensor logits_of(const std::filesystem::path& path, const std::vector<std::int32_t>& ids,
                        const std::filesystem::path& adapter = {}) {
  const ModelSource source(path, adapter);
  const Transformer model(source);
  Tensor hidden(ids.size(), model.hyper().hidden), logits(ids.size(), model.hyper().vocabulary);
  model.hidden_states(ids, ids.size(), hidden.view(), Compute::kFloat32);
  model.logits(hidden.view(), logits.view(), Compute::kFloat32);
  return logits;
}

}  // namespace nibble::test
