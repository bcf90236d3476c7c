// An opened model, a folder or a GGUF file: config, spec and tensors, from which the parts of a
// transformer are taken one at a time. Weights stay in the mapped files; taking a part costs
// nothing.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "model/block.h"
#include "model/tensor_names.h"
#include "nibble/checkpoint.h"

namespace nibble {

struct Adapter;

class ModelSource {
 public:
  // `adapter`: a folder whose low-rank additions the layers get (model/adapter/adapter.h), or
  // empty. Throws what open_checkpoint, find_spec, settle_config and read_adapter throw, and
  // kCorruptFile when a tensor the model needs is missing or has another shape than its neighbours
  // and config.json say, or an addition fits none of the model's layers.
  explicit ModelSource(const std::filesystem::path& path,
                       const std::filesystem::path& adapter = {});
  ~ModelSource();
  ModelSource(const ModelSource&) = delete;
  ModelSource& operator=(const ModelSource&) = delete;

  const std::filesystem::path& path() const;  // what was opened, a folder or a file
  const std::filesystem::path& folder() const;
  // What a job must leave as it is: the folder, or the files of a GGUF model.
  std::vector<std::filesystem::path> inputs() const;
  const Json& config() const;  // as settled with the tensors
  const ModelSpec& spec() const;
  const HyperParams& hyper() const;
  const CheckpointReader& checkpoint() const;
  const Adapter* adapter() const;  // null: none
  // What is odd about the files, and what was decided where config.json and tensors disagree: for
  // people to see before any work.
  const std::vector<std::string>& notes() const;

  Block block(std::size_t layer) const;
  std::unique_ptr<Linear> embedding() const;  // rows are token embeddings (decode() reads them)
  std::vector<float> final_norm() const;      // [hidden]
  std::unique_ptr<Linear> head() const;       // [vocabulary, hidden]; the embedding when tied

  // The norm in front of attention or of the MLP as the checkpoint stores it, and what it leaves
  // out of the gain: 1 where it holds the gain less one.
  const TensorInfo& norm_tensor(std::size_t layer, Norm norm) const;
  float gain_offset() const;

  const TensorNames& names() const;  // this checkpoint's own
  // "model.layers.3.self_attn.q_proj", under whatever prefix the checkpoint has.
  std::string module_path(std::size_t layer, Role role) const;
  // The bytes of a tensor with its rows in the order of Hugging Face's folders: GGUF files have the
  // rotated pairs of q and k side by side. In `room` where the checkpoint has them otherwise.
  std::span<const std::byte> bytes(const TensorInfo& info, std::vector<std::byte>& room) const;
  // Lets the mapped pages of a layer's tensors leave memory.
  void drop_layer(std::size_t layer) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace nibble
