#include "train/training_model.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/progress.h"
#include "kernels/kernels.h"
#include "model/transformer.h"
#include "nn/backward/cross_entropy.h"
#include "nn/backward/distillation.h"
#include "nn/backward/rms_norm_gradient.h"
#include "nn/rms_norm.h"
#include "train/block_pass.h"

namespace nibble {
namespace {

bool wanted(const BlockGradients& block) {
  for (const auto& norm : {block.attention_norm, block.mlp_norm, block.query_norm, block.key_norm,
                           block.attention_output_norm, block.mlp_output_norm})
    if (!norm.empty()) return true;
  return std::any_of(block.layers.begin(), block.layers.end(),
                     [](const LayerGradient* layer) { return layer != nullptr; });
}

// The lowest block whose input's gradient or own parameters are asked for.
std::size_t lowest_block(const ModelGradients& to) {
  if (to.embedding.rows != 0) return 0;
  const auto found = std::find_if(to.blocks.begin(), to.blocks.end(), wanted);
  return static_cast<std::size_t>(found - to.blocks.begin());
}

}  // namespace

TrainingModel::TrainingModel(const ModelSource& source)
    : source_(source),
      embedding_(source.embedding()),
      head_(source.head()),
      final_norm_(source.final_norm()) {
  for (std::size_t layer = 0; layer < hyper().layers; ++layer)
    blocks_.push_back(source.block(layer));
}

void TrainingModel::prepare(Compute compute) {
  for (const Block& block : blocks_) {
    for (const auto& linear : block.linears) linear->prepare(compute);
    source_.drop_layer(block.layer);
  }
}

std::vector<Sequence> TrainingModel::sequences_of(const TrainingBatch& batch) const {
  NIBBLE_ASSERT(batch.labels.size() == batch.ids.size());
  std::vector<Sequence> sequences;
  std::size_t row = 0;
  for (const std::size_t length : batch.lengths) {
    sequences.push_back({row, length, 0, nullptr});
    row += length;
  }
  NIBBLE_ASSERT(row == batch.ids.size());
  return sequences;
}

Tensor TrainingModel::final_hidden(const TrainingBatch& batch, Compute compute) const {
  const auto sequences = sequences_of(batch);
  const RopeTables ropes(hyper(), sequences);
  Tensor hidden(batch.ids.size(), hyper().hidden);
  embed(*embedding_, hyper().embedding_scale, batch.ids, hidden.view());
  for (const Block& block : blocks_) {
    throw_if_stopped();
    block.forward(hidden.view(), sequences, ropes, compute);
  }
  rms_norm(hidden.view(), final_norm_, hyper().norm_epsilon, hidden.view());
  return hidden;
}

Loss TrainingModel::head_loss(ConstMatrix hidden, const TrainingBatch& batch, Compute compute,
                              const Teacher* teacher, const HeadGradient* to) const {
  if (teacher == nullptr) return cross_entropy(*head_, hidden, batch.labels, compute, to);
  const Tensor taught = teacher->model->final_hidden(batch, compute);
  const TeacherHead head{teacher->model->head_.get(), taught.view(), teacher->temperature};
  return distillation(*head_, hidden, head, batch.labels, compute, to);
}

Loss TrainingModel::loss(const TrainingBatch& batch, Compute compute,
                         const Teacher* teacher) const {
  const Tensor hidden = final_hidden(batch, compute);
  return head_loss(hidden.view(), batch, compute, teacher, nullptr);
}

Loss TrainingModel::gradient(const TrainingBatch& batch, float scale, const ModelGradients& to,
                             Compute compute, const Teacher* teacher) const {
  const auto sequences = sequences_of(batch);
  const RopeTables ropes(hyper(), sequences);
  const std::size_t lowest = lowest_block(to), tokens = batch.ids.size();
  Tensor hidden(tokens, hyper().hidden);
  embed(*embedding_, hyper().embedding_scale, batch.ids, hidden.view());
  std::vector<Tensor> inputs;
  for (const Block& block : blocks_) {
    throw_if_stopped();
    if (block.layer >= lowest) inputs.push_back(hidden.clone());
    // As the way back will compute it: its rounding must be that of what it goes back through.
    BlockPass(block, sequences, ropes, compute).forward(hidden.view());
  }
  Tensor normed(tokens, hyper().hidden), dhidden(tokens, hyper().hidden);
  rms_norm(hidden.view(), final_norm_, hyper().norm_epsilon, normed.view());
  Loss loss;
  {
    Tensor dnormed(tokens, hyper().hidden);
    const HeadGradient back{scale, dnormed.view(), to.head};
    loss = head_loss(normed.view(), batch, compute, teacher, &back);
    dhidden.fill(0);
    add_rms_norm_gradient(hidden.view(), final_norm_, hyper().norm_epsilon, dnormed.view(),
                          dhidden.view(), to.final_norm);
  }
  for (std::size_t layer = blocks_.size(); layer-- > lowest;) {
    throw_if_stopped();
    BlockPass pass(blocks_[layer], sequences, ropes, compute);
    pass.forward(inputs.back().view());
    pass.backward(dhidden.view(), to.blocks[layer]);
    inputs.pop_back();
  }
  if (to.embedding.rows != 0)  // in the order of tokens, whatever the number of threads
    for (std::size_t t = 0; t < tokens; ++t)
      kernels().add_scaled(hyper().embedding_scale, dhidden.view().row(t),
                           to.embedding.row(static_cast<std::size_t>(batch.ids[t])),
                           dhidden.columns());
  return loss;
}

}  // namespace nibble
