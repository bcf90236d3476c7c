// A model as training sees it: the loss on a batch of sequences, and its gradient.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/source.h"
#include "nn/backward/head_loss.h"
#include "train/gradients.h"

namespace nibble {

// Sequences one after another, each by itself: no token sees one of another sequence.
struct TrainingBatch {
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> labels;  // what each position shall predict; kNoLabel: nothing
  std::vector<std::size_t> lengths;  // of the sequences
};

class TrainingModel;

// A model whose predictions are learnt in place of the samples' own next tokens.
struct Teacher {
  const TrainingModel* model = nullptr;
  float temperature = 1;
};

class TrainingModel {
 public:
  // Takes every part of `source`, which must outlive it.
  explicit TrainingModel(const ModelSource& source);

  const HyperParams& hyper() const { return source_.hyper(); }
  std::vector<Block>& blocks() { return blocks_; }
  // May be replaced, as the layers of blocks may; a tied head is an object of its own.
  std::unique_ptr<Linear>& embedding() { return embedding_; }
  std::unique_ptr<Linear>& head() { return head_; }
  std::vector<float>& final_norm() { return final_norm_; }  // [hidden]
  // Brings the layers of all blocks into the form that `compute` reads.
  void prepare(Compute compute);

  // Products are in `compute`; those of gradients in its float arithmetic. Throws kInvalidArgument
  // for an id outside the vocabulary. With a teacher the loss is that of nn/backward/distillation.h
  // on the same tokens.
  Loss loss(const TrainingBatch& batch, Compute compute, const Teacher* teacher = nullptr) const;
  // Adds the gradient of `scale` times the loss's sum. Blocks below the lowest that has something
  // to train are not gone through.
  Loss gradient(const TrainingBatch& batch, float scale, const ModelGradients& to, Compute compute,
                const Teacher* teacher = nullptr) const;

 private:
  // After the final norm, [tokens, hidden].
  Tensor final_hidden(const TrainingBatch& batch, Compute compute) const;
  Loss head_loss(ConstMatrix hidden, const TrainingBatch& batch, Compute compute,
                 const Teacher* teacher, const HeadGradient* to) const;
  std::vector<Sequence> sequences_of(const TrainingBatch& batch) const;

  const ModelSource& source_;
  std::vector<Block> blocks_;
  std::unique_ptr<Linear> embedding_, head_;
  std::vector<float> final_norm_;
};

}  // namespace nibble
