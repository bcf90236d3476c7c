#include "quantize/block_quantizer.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "nibble/error.h"
#include "nn/codes_linear.h"
#include "nn/dense_linear.h"
#include "nn/matmul.h"
#include "quantize/layer/moments.h"

namespace nibble {
namespace {

class BlockJob {
 public:
  BlockJob(Block& block, const Recipe& recipe, Compute compute, Samples* samples,
           const StageInputs* inputs, const ModuleDone& done)
      : block_(block),
        recipe_(recipe),
        compute_(compute),
        samples_(samples),
        inputs_(inputs),
        done_(done) {}

  void run() {
    if (samples_ == nullptr) {
      for (const Stage stage : kStages) quantize_stage(stage, nullptr);
      return;
    }
    capture(Stage::kAttentionIn, [&](Matrix hidden, std::size_t, Stream&) {
      Tensor input(hidden.rows, hidden.columns);
      block_.attention_input(hidden, input.view());
      return input;
    });
    capture(Stage::kAttentionOut, [&](Matrix hidden, std::size_t row, Stream& stream) {
      Tensor input(hidden.rows, hidden.columns);
      block_.attention_input(hidden, input.view());
      Tensor mixed(hidden.rows, block_.linear(Role::kOutput).inputs());
      const auto windows = sequences(hidden.rows);
      block_.attend(input.view(), windows, RopeTables(*block_.hyper, windows), mixed.view(),
                    compute_);
      stream.middle->put(row, mixed.view());
      return mixed;
    });
    capture(Stage::kMlpIn, [&](Matrix hidden, std::size_t row, Stream& stream) {
      Tensor mixed(hidden.rows, block_.linear(Role::kOutput).inputs());
      stream.middle->get(row, mixed.view());
      block_.attention_output(mixed.view(), hidden, compute_);
      stream.hidden->put(row, hidden);
      Tensor input(hidden.rows, hidden.columns);
      block_.mlp_input(hidden, input.view());
      return input;
    });
    capture(Stage::kMlpOut, [&](Matrix hidden, std::size_t row, Stream& stream) {
      Tensor input(hidden.rows, hidden.columns);
      block_.mlp_input(hidden, input.view());
      Tensor activated(hidden.rows, block_.linear(Role::kDown).inputs());
      block_.mlp_activate(input.view(), activated.view(), compute_);
      stream.middle->put(row, activated.view());
      return activated;
    });
    for_streams([&](Matrix hidden, std::size_t row, Stream& stream) {
      Tensor activated(hidden.rows, block_.linear(Role::kDown).inputs());
      stream.middle->get(row, activated.view());
      block_.mlp_output(activated.view(), hidden, compute_);
      stream.hidden->put(row, hidden);
      return Tensor();
    });
  }

 private:
  using Step = std::function<Tensor(Matrix hidden, std::size_t first_row, Stream& stream)>;

  // Runs `step` over all samples in chunks of whole windows, of both streams.
  void for_streams(const Step& step, Moments* moments = nullptr) {
    const std::size_t windows = chunk_windows(samples_->length);
    for (std::size_t first = 0, count = 0; first < samples_->count; first += count) {
      throw_if_stopped();
      const bool followed = first < samples_->followed;
      const std::size_t end = followed ? samples_->followed : samples_->count;
      count = std::min(windows, end - first);
      const std::size_t row = first * samples_->length;
      Tensor hidden(count * samples_->length, block_.hyper->hidden);
      samples_->quantized.hidden->get(row, hidden.view());
      const Tensor input = step(hidden.view(), row, samples_->quantized);
      if (!followed) {
        if (moments != nullptr) moments->add(input.view());
        continue;
      }
      samples_->original.hidden->get(row, hidden.view());
      swap_weights();
      const Tensor wanted = step(hidden.view(), row, samples_->original);
      swap_weights();
      if (moments != nullptr)
        moments->add(input.view(), moments->drift().rows != 0 ? wanted.view() : ConstMatrix());
    }
  }

  void swap_weights() {
    for (std::size_t role = 0; role < kRoles; ++role)
      if (originals_[role]) std::swap(block_.linears[role], originals_[role]);
  }

  // Moves the samples to this stage's inputs, gathers their moments if the method wants them, then
  // quantizes the stage.
  void capture(Stage stage, const Step& step) {
    std::unique_ptr<Moments> moments;
    if (needs_hessian(stage))
      moments = std::make_unique<Moments>(block_.linear(roles_of(stage).front()).inputs(), compute_,
                                          drift_module(stage) != nullptr);
    // Without a Hessian the first stage's step would compute inputs that nobody reads.
    if (moments != nullptr || stage != Stage::kAttentionIn) for_streams(step, moments.get());
    if (moments) moments->finish();
    quantize_stage(stage, moments.get());
  }

  bool needs_hessian(Stage stage) const {
    const auto roles = roles_of(stage);
    return std::any_of(roles.begin(), roles.end(),
                       [&](Role role) { return recipe_.needs_hessian(block_.layer, role); });
  }

  // The first of a stage's modules that makes up for drift; its share and damping serve them all.
  const PlannedModule* drift_module(Stage stage) const {
    for (const Role role : roles_of(stage)) {
      const PlannedModule* module = recipe_.find(block_.layer, role);
      if (module != nullptr && module->drift_share() > 0) return module;
    }
    return nullptr;
  }

  void quantize_stage(Stage stage, Moments* moments) {
    std::string note;
    std::vector<Tensor> weights = stage_weights(stage, moments, note);
    std::size_t next = 0;
    for (const Role role : roles_of(stage)) {
      const PlannedModule* module = recipe_.find(block_.layer, role);
      if (module == nullptr) continue;
      throw_if_stopped();
      const Tensor weight = std::move(weights[next++]);
      auto& linear = block_.linears[static_cast<std::size_t>(role)];
      Task task;
      task.weight = weight.view();
      task.grid = module->shape.grid;
      task.group_size = module->shape.group_size;
      task.storable = module->storable;
      if (module->method->needs == Needs::kHessian)
        task.hessian = moments != nullptr ? moments->hessian()
                       : inputs_ != nullptr
                           ? inputs_->products[static_cast<std::size_t>(stage)].view()
                           : ConstMatrix();
      if (inputs_ != nullptr) task.importance = inputs_->squares[static_cast<std::size_t>(role)];
      task.options = module->options;
      Outcome outcome = with_context(module->name, [&] { return module->method->quantize(task); });
      if (!note.empty()) outcome.notes.push_back(note);
      std::vector<float> bias;
      if (linear->bias() != nullptr)
        bias.assign(linear->bias(), linear->bias() + module->shape.rows);
      // What comes after sees the layer as its readers will.
      if (samples_ != nullptr) {
        originals_[static_cast<std::size_t>(role)] = std::move(linear);
        linear = outcome.dense.rows() != 0 ? dense_linear(outcome.dense.clone(), std::move(bias))
                                           : codes_linear(outcome.codes, std::move(bias));
      }
      done_(*module, std::move(outcome));
    }
  }

  // The float weights of the stage's planned modules, corrected for drift; the drift itself is let
  // go, because the largest layers' squares decide how much memory the job takes.
  std::vector<Tensor> stage_weights(Stage stage, Moments* moments, std::string& note) {
    Tensor correction;
    if (const PlannedModule* module = drift_module(stage);
        module != nullptr && moments != nullptr && moments->drift().rows != 0) {
      correction = drift_correction(moments->hessian(), moments->drift(),
                                    module->options.number("damping"), module->drift_share());
      moments->forget_drift();
      if (correction.rows() == 0) note = "drift not corrected: the Hessian has no inverse";
    }
    std::vector<Tensor> weights;
    for (const Role role : roles_of(stage)) {
      const PlannedModule* module = recipe_.find(block_.layer, role);
      if (module == nullptr) continue;
      const Linear& linear = block_.linear(role);
      Tensor weight(module->shape.rows, module->shape.columns);
      parallel_ranges(module->shape.rows, 64, [&](std::size_t begin, std::size_t end) {
        linear.decode(begin, weight.view().rows_at(begin, end - begin));
      });
      if (correction.rows() != 0 && module->drift_share() > 0)
        correct_drift(weight.view(), correction.view());
      weights.push_back(std::move(weight));
    }
    return weights;
  }

  std::span<const Sequence> sequences(std::size_t rows) {
    sequences_.clear();
    for (std::size_t row = 0; row < rows; row += samples_->length)
      sequences_.push_back({row, samples_->length, 0, nullptr});
    return sequences_;
  }

  Block& block_;
  const Recipe& recipe_;
  Compute compute_;
  Samples* samples_;
  const StageInputs* inputs_;
  const ModuleDone& done_;
  std::vector<Sequence> sequences_;
  std::array<std::unique_ptr<Linear>, kRoles> originals_;
};

}  // namespace

void quantize_block(Block& block, const Recipe& recipe, Compute compute, Samples* samples,
                    const StageInputs* inputs, const ModuleDone& done) {
  BlockJob(block, recipe, compute, samples, inputs, done).run();
}

}  // namespace nibble
