#include "quantize/block_quantizer.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "base/parallel.h"
#include "formats/format.h"
#include "kernels/kernels.h"
#include "nibble/error.h"
#include "nn/matmul.h"
#include "nn/packed_linear.h"

namespace nibble {
namespace {

constexpr std::size_t kChunkTokens = 2048;

// Σ x·xᵀ of the inputs of one stage.
class Gram {
 public:
  Gram(std::size_t columns, Compute compute) : compute_(compute), sum_(columns, columns) {
    sum_.fill(0);
  }

  void add(ConstMatrix x) {
    tokens_ += x.rows;
    if (compute_ == Compute::kFloat32) {
      add_gram(x, sum_.view());
      return;
    }
    rounded_.resize(x.rows * x.columns);
    parallel_ranges(x.rows, 64, [&](std::size_t begin, std::size_t end) {
      for (std::size_t r = begin; r < end; ++r)
        kernels().float_to_bfloat16(x.row(r), rounded_.data() + r * x.columns, x.columns);
    });
    add_gram(MatrixView<const std::uint16_t>(rounded_.data(), x.rows, x.columns), sum_.view());
  }

  // The mean, both triangles.
  ConstMatrix finish() {
    const Matrix sum = sum_.view();
    const float share = 1.0f / static_cast<float>(std::max<std::size_t>(1, tokens_));
    parallel_ranges(sum.rows, 16, [&](std::size_t begin, std::size_t end) {
      for (std::size_t r = begin; r < end; ++r)
        for (std::size_t c = 0; c <= r; ++c) sum(r, c) *= share;
    });
    // Column by column into the upper triangle: after all of the lower one is final.
    parallel_ranges(sum.rows, 16, [&](std::size_t begin, std::size_t end) {
      for (std::size_t r = begin; r < end; ++r)
        for (std::size_t c = r + 1; c < sum.columns; ++c) sum(r, c) = sum(c, r);
    });
    std::vector<std::uint16_t>().swap(rounded_);
    return sum;
  }

 private:
  Compute compute_;
  Tensor sum_;
  std::vector<std::uint16_t> rounded_;
  std::size_t tokens_ = 0;
};

class BlockJob {
 public:
  BlockJob(Block& block, const Recipe& recipe, const QuantizeOptions& options, Samples* samples,
           const ModuleDone& done)
      : block_(block),
        recipe_(recipe),
        options_(options),
        samples_(samples),
        done_(done),
        method_(methods::named(options.method)) {}

  void run() {
    if (samples_ == nullptr) {
      for (const Stage stage : kStages) quantize_stage(stage, ConstMatrix());
      return;
    }
    capture(Stage::kAttentionIn, [&](Matrix hidden, std::size_t, Gram* gram) {
      Tensor input(hidden.rows, hidden.columns);
      block_.attention_input(hidden, input.view());
      if (gram != nullptr) gram->add(input.view());
    });
    capture(Stage::kAttentionOut, [&](Matrix hidden, std::size_t row, Gram* gram) {
      Tensor input(hidden.rows, hidden.columns);
      block_.attention_input(hidden, input.view());
      Tensor mixed(hidden.rows, block_.linear(Role::kOutput).inputs());
      block_.attend(input.view(), sequences(hidden.rows), mixed.view(), options_.compute);
      if (gram != nullptr) gram->add(mixed.view());
      samples_->middle->put(row, mixed.view());
    });
    capture(Stage::kMlpIn, [&](Matrix hidden, std::size_t row, Gram* gram) {
      Tensor mixed(hidden.rows, block_.linear(Role::kOutput).inputs());
      samples_->middle->get(row, mixed.view());
      block_.attention_output(mixed.view(), hidden, options_.compute);
      samples_->hidden->put(row, hidden);
      if (gram == nullptr) return;
      Tensor input(hidden.rows, hidden.columns);
      block_.mlp_input(hidden, input.view());
      gram->add(input.view());
    });
    capture(Stage::kMlpOut, [&](Matrix hidden, std::size_t row, Gram* gram) {
      Tensor input(hidden.rows, hidden.columns);
      block_.mlp_input(hidden, input.view());
      Tensor activated(hidden.rows, block_.linear(Role::kDown).inputs());
      block_.mlp_activate(input.view(), activated.view(), options_.compute);
      if (gram != nullptr) gram->add(activated.view());
      samples_->middle->put(row, activated.view());
    });
    for_chunks([&](Matrix hidden, std::size_t row) {
      Tensor activated(hidden.rows, block_.linear(Role::kDown).inputs());
      samples_->middle->get(row, activated.view());
      block_.mlp_output(activated.view(), hidden, options_.compute);
      samples_->hidden->put(row, hidden);
    });
  }

 private:
  // Runs `step` over all samples in chunks of whole windows.
  void for_chunks(const std::function<void(Matrix hidden, std::size_t first_row)>& step) {
    const std::size_t windows = chunk_windows(samples_->length);
    for (std::size_t first = 0; first < samples_->count; first += windows) {
      throw_if_stopped();
      const std::size_t count = std::min(windows, samples_->count - first);
      Tensor hidden(count * samples_->length, block_.hyper->hidden);
      samples_->hidden->get(first * samples_->length, hidden.view());
      step(hidden.view(), first * samples_->length);
    }
  }

  // Moves the samples to this stage's inputs, gathers their Hessian if the method wants one, then
  // quantizes the stage.
  void capture(Stage stage, const std::function<void(Matrix, std::size_t, Gram*)>& step) {
    std::unique_ptr<Gram> gram;
    if (method_.needs == Needs::kHessian && has_modules(stage))
      gram =
          std::make_unique<Gram>(block_.linear(roles_of(stage).front()).inputs(), options_.compute);
    // Without a Hessian the first stage's step would compute inputs that nobody reads.
    if (gram != nullptr || stage != Stage::kAttentionIn)
      for_chunks([&](Matrix hidden, std::size_t row) { step(hidden, row, gram.get()); });
    quantize_stage(stage, gram ? gram->finish() : ConstMatrix());
  }

  bool has_modules(Stage stage) const {
    const auto roles = roles_of(stage);
    return std::any_of(roles.begin(), roles.end(),
                       [&](Role role) { return recipe_.find(block_.layer, role) != nullptr; });
  }

  void quantize_stage(Stage stage, ConstMatrix hessian) {
    for (const Role role : roles_of(stage)) {
      const PlannedModule* module = recipe_.find(block_.layer, role);
      if (module == nullptr) continue;
      throw_if_stopped();
      auto& linear = block_.linears[static_cast<std::size_t>(role)];
      Tensor weight(module->rows, module->columns);
      parallel_ranges(module->rows, 64, [&](std::size_t begin, std::size_t end) {
        linear->decode(begin, weight.view().rows_at(begin, end - begin));
      });
      const auto grid = grid_of(module->settings.bits);
      Task task;
      task.weight = weight.view();
      task.grid = grid.get();
      task.group_size =
          module->settings.group_size == 0 ? module->columns : module->settings.group_size;
      task.hessian = hessian;
      task.options = options_.method_options;
      Outcome outcome = with_context(module->name, [&] { return method_.quantize(task); });
      std::vector<float> bias;
      if (linear->bias() != nullptr) bias.assign(linear->bias(), linear->bias() + module->rows);
      // What comes after sees the layer as its readers will.
      if (samples_ != nullptr) linear = packed_linear(pack(outcome.codes), std::move(bias));
      done_(*module, std::move(outcome));
    }
  }

  std::unique_ptr<Grid> grid_of(int bits) const {
    // The first GPTQ dialect stores zero − 1, which has no room for a zero of 0.
    const int lowest_zero = recipe_.layout_settings.variant == "gptq" ? 1 : 0;
    return uniform_grid(bits, recipe_.symmetry, lowest_zero);
  }

  std::span<const Sequence> sequences(std::size_t rows) {
    sequences_.clear();
    for (std::size_t row = 0; row < rows; row += samples_->length)
      sequences_.push_back({row, samples_->length, 0, nullptr});
    return sequences_;
  }

  Block& block_;
  const Recipe& recipe_;
  const QuantizeOptions& options_;
  Samples* samples_;
  const ModuleDone& done_;
  const Method& method_;
  std::vector<Sequence> sequences_;
};

}  // namespace

std::size_t chunk_windows(std::size_t length) {
  return std::max<std::size_t>(1, kChunkTokens / std::max<std::size_t>(1, length));
}

void quantize_block(Block& block, const Recipe& recipe, const QuantizeOptions& options,
                    Samples* samples, const ModuleDone& done) {
  BlockJob(block, recipe, options, samples, done).run();
}

BlockCost block_cost(const HyperParams& hyper, std::size_t tokens, std::size_t length,
                     bool hessian) {
  const double n = static_cast<double>(tokens), d = static_cast<double>(hyper.hidden),
               f = static_cast<double>(hyper.mlp_hidden),
               q = static_cast<double>(hyper.heads * hyper.head_dim),
               kv = static_cast<double>(hyper.kv_heads * hyper.head_dim);
  BlockCost cost;
  const double weights = d * (2 * q + 2 * kv) + 3 * d * f;
  // Scores and mixing touch half of the positions on average.
  cost.forward = 2 * n * weights + 2 * n * q * static_cast<double>(length);
  if (!hessian) return cost;
  cost.hessian = n * (2 * d * d + q * q + f * f);
  // Row updates: rows · columns² each; factor and inverse: 2/3 · columns³ each input.
  cost.solve = (q + 2 * kv) * d * d + d * q * q + 2 * f * d * d + d * f * f +
               2.0 / 3.0 * (2 * d * d * d + q * q * q + f * f * f);
  return cost;
}

}  // namespace nibble
