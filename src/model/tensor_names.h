// Under which names a checkpoint keeps the tensors of a model. Exporters differ in what stands in
// front ("model.", nothing, "module.model.", "_orig_mod.model.", "model.language_model."); every
// part of the program asks here, so that a tensor has one name from opening to output.
#pragma once

#include <string>
#include <string_view>

#include "model/block.h"
#include "nibble/checkpoint.h"

namespace nibble {

class TensorNames {
 public:
  // Looks for the first layer; throws kUnsupported when several models lie in the checkpoint. One
  // without layers gets the usual names, which the first look for a tensor will miss.
  explicit TensorNames(const CheckpointReader& checkpoint);

  const std::string& prefix() const { return prefix_; }  // "model."
  const std::string& head() const { return head_; }      // "lm_head"
  std::string embedding() const { return prefix_ + "embed_tokens"; }
  std::string final_norm() const { return prefix_ + "norm"; }
  std::string layer(std::size_t layer) const;              // "model.layers.3."
  std::string module(std::size_t layer, Role role) const;  // "model.layers.3.self_attn.q_proj"

 private:
  std::string prefix_ = "model.", head_ = "lm_head";
};

// Does the checkpoint have "MODULE.…", in whatever form?
bool has_module(const CheckpointReader& checkpoint, std::string_view module);

}  // namespace nibble
