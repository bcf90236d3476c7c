// A GGUF file seen under Hugging Face's tensor names, so that a model needs to know one set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "nibble/checkpoint.h"

namespace nibble {

// "blk.3.attn_q.weight" -> "model.layers.3.self_attn.q_proj.weight"; empty for names without a
// counterpart. `norms_around` says that a layer's parts have a norm behind them too, which moves
// the name of the norm between them.
std::string hf_tensor_name(std::string_view gguf_name, bool norms_around);

// The other way round; empty for names without a counterpart.
std::string gguf_tensor_name(std::string_view hf_name, bool norms_around);

// The stored row of each row of q or k where rotated pairs lie side by side: element i of a head's
// first half is at 2i, that of its second half at 2i + 1.
std::vector<std::uint32_t> rows_in_pairs(std::size_t rows, std::size_t head_dim);

// `gguf` under those names; a tensor without counterpart keeps its own. Throws kUnsupported when a
// layer holds a tensor that no name here stands for: leaving it out would be another model.
std::unique_ptr<CheckpointReader> with_hf_names(std::unique_ptr<CheckpointReader> gguf);

}  // namespace nibble
