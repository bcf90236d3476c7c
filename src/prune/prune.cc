#include "prune/prune.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/memory.h"
#include "base/text.h"
#include "checkpoint/plain_folder.h"
#include "model/open_tokenizer.h"
#include "model/transformer.h"
#include "nibble/error.h"
#include "prune/passport.h"
#include "prune/recipe.h"
#include "prune/smaller_parts.h"
#include "quantize/block_quantizer.h"
#include "quantize/convert/carried_parts.h"
#include "quantize/nonfinite.h"

namespace nibble {
namespace {

constexpr std::uint64_t kPassportBytes = 8192, kModuleBytes = 512;

class Pruning {
 public:
  Pruning(const std::filesystem::path& model, const std::filesystem::path& output,
          const PruneOptions& options, const ProgressSink& progress, const LogSink& log)
      : source_(model), output_(output), options_(options), progress_(progress), log_(log) {}

  PruneResult run(const PrunePlanSink& on_plan) {
    for (const std::string& note : source_.notes()) tell(note);
    refuse_packed();
    refuse_nonfinite();
    const HyperParams& hyper = source_.hyper();
    const Structure structure =
        structure_of(hyper, options_.heads.value_or(0), options_.channels.value_or(0));
    if (structure.heads) tell_share_of_heads(structure);
    parts_.emplace(source_, structure);
    recipe_ = prune_recipe(source_, options_, structure, parts_->type_name());
    result_.method = recipe_.modules.front().method->name;
    carried_.emplace(source_, true, log_);
    const std::vector<TensorInfo> tensors = planned_tensors();
    make_plan(structure, tensors);
    if (on_plan) on_plan(result_.plan);
    OutputModel model =
        carried_->output(tensors, kPassportBytes + kModuleBytes * recipe_.modules.size(), log_);
    const Json config = options_.structured() ? smaller_config(*model.config, hyper, structure)
                                              : Json(*model.config);
    model.config = &config;
    for (const CalibrationFile& file : options_.calibration.sources)
      if (std::error_code ignored; std::filesystem::is_regular_file(file.path, ignored))
        model.inputs.push_back(file.path);
    writer_ = create_plain_folder(
        output_, model, {.replace = options_.replace, .max_shard_bytes = options_.max_shard_bytes});
    if (recipe_.calibrated()) gather();
    prune_blocks();
    write_carried();
    writer_->finish(prune_passport(options_, result_, carried_->model_hashes(),
                                   carried_->tokenizer_hashes(), parts_->type_name()));
    return std::move(result_);
  }

 private:
  void tell(const std::string& line) const {
    if (log_) log_(line);
  }

  // Heads go in steps: config.json has one number for all layers and groups.
  void tell_share_of_heads(const Structure& structure) const {
    const double share =
        1 - static_cast<double>(structure.query_heads) / static_cast<double>(source_.hyper().heads);
    if (std::fabs(share - *options_.heads) > 0.05)
      tell(cat("--heads ", *options_.heads, ": the nearest that all groups can do is ", share));
  }

  void refuse_packed() const {
    for (const TensorInfo& info : source_.checkpoint().tensors())
      if (info.blocks != nullptr) refuse(info.name);
    for (std::size_t layer = 0; layer < source_.hyper().layers; ++layer)
      for (std::size_t role = 0; role < kRoles; ++role) {
        const std::string name = source_.module_path(layer, static_cast<Role>(role));
        const TensorInfo* info = source_.checkpoint().find(name + ".weight");
        if (info == nullptr || (info->dtype != DType::kF32 && info->dtype != DType::kF16 &&
                                info->dtype != DType::kBF16))
          refuse(name);
      }
  }

  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(ErrorKind::kUnsupported,
                cat(source_.path().string(), ": ", what,
                    " is quantized; what rounding lost would be taken for the model's own"),
                "prune the model with 16-bit weights, and quantize what comes out");
  }

  void refuse_nonfinite() const {
    const auto all = find_nonfinite(source_.checkpoint());
    if (all.empty()) return;
    const NonFinite& found = all.front();
    throw Error(ErrorKind::kNumeric,
                cat("tensor \"", found.tensor, "\" holds ", found.count,
                    " values that are not finite, the first at index ", found.first),
                "check where the checkpoint comes from");
  }

  // In the source's order.
  std::vector<TensorInfo> planned_tensors() const {
    std::vector<TensorInfo> tensors;
    for (const TensorInfo& info : source_.checkpoint().tensors())
      if (auto planned = carried_->planned(info))
        tensors.push_back(parts_->planned(std::move(*planned)));
    return tensors;
  }

  std::size_t window_length() const {
    return options_.calibration.length != 0 ? options_.calibration.length
                                            : std::min<std::size_t>(512, source_.hyper().context);
  }

  std::size_t widest() const {
    const HyperParams& hyper = source_.hyper();
    return std::max({hyper.hidden, hyper.mlp_hidden, hyper.heads * hyper.head_dim});
  }

  void make_plan(const Structure& structure, const std::vector<TensorInfo>& tensors) {
    const HyperParams& hyper = source_.hyper();
    PrunePlan& plan = result_.plan;
    plan.layers = hyper.layers;
    plan.modules = recipe_.modules.size();
    plan.structure = structure;
    plan.heads = hyper.heads;
    plan.kv_heads = hyper.kv_heads;
    plan.mlp_hidden = hyper.mlp_hidden;
    for (const TensorInfo& info : source_.checkpoint().tensors()) plan.input_bytes += info.bytes;
    for (const TensorInfo& info : tensors) plan.output_bytes += info.bytes;
    plan.weights = hyper.layers * parts_->weights_before();
    if (options_.structured())
      plan.weights_gone = plan.weights - hyper.layers * parts_->weights_after();
    else
      for (const PlannedModule& module : recipe_.modules) plan.weights_gone += zeros_of(module);
    const bool calibrated = recipe_.calibrated();
    for (const PlannedModule& module : recipe_.modules) {
      // Weights, their pruned form, scores and what BlockJob installs; the Hessian, its factor in
      // double and in float.
      const std::uint64_t columns = module.shape.columns;
      plan.peak_memory = std::max(plan.peak_memory, module.shape.rows * columns * 17 +
                                                        (calibrated ? 16 * columns * columns : 0));
    }
    if (calibrated) {
      const std::size_t length = window_length(), tokens = options_.calibration.samples * length;
      const std::uint64_t chunk = chunk_windows(length) * length;
      plan.peak_memory += ActivationStore::bytes(tokens, hyper.hidden, Compute::kFloat32) +
                          ActivationStore::bytes(tokens, widest(), options_.compute) +
                          chunk * (2 * hyper.hidden + 3 * hyper.mlp_hidden) * sizeof(float) +
                          parts_->weights_before() * sizeof(float);
      warn_of_few_tokens(tokens, length);
    }
    plan.memory_limit = options_.memory_limit != 0 ? options_.memory_limit : available_memory();
    if (plan.peak_memory > plan.memory_limit)
      throw Error(ErrorKind::kResource,
                  cat("the job needs ", human_bytes(plan.peak_memory), " of memory; ",
                      human_bytes(plan.memory_limit), " may be used"),
                  "use fewer --samples or a smaller --seq-len");
  }

  // Where weights that stay are fitted to the inputs; Wanda needs no more than their sizes.
  void warn_of_few_tokens(std::size_t tokens, std::size_t length) const {
    const bool fitted = recipe_.modules.front().options.has("damping") && options_.repair;
    if (!fitted || few_tokens_note(tokens / length, length, widest()).empty()) return;
    tell(cat("warning: ", tokens, " calibration tokens for layers of up to ", widest(),
             " inputs: what stays is fitted to chance, too (more --samples, a larger --seq-len or "
             "--damping 0.1 help)"));
  }

  std::uint64_t zeros_of(const PlannedModule& module) const {
    const std::size_t weights = module.shape.rows * module.shape.columns;
    if (!options_.pattern) return share_of(*options_.sparsity, weights);
    return weights / options_.pattern->of * (options_.pattern->of - options_.pattern->stay);
  }

  void gather() {
    const auto tokenizer = open_tokenizer(source_.path());
    result_.calibration =
        gather_calibration(source_, *tokenizer, options_.calibration, options_.compute, progress_);
    for (const std::string& note : result_.calibration.notes) tell(note);
  }

  // All windows as the first block sees them.
  Samples first_samples() const {
    const Calibration& calibration = result_.calibration;
    const HyperParams& hyper = source_.hyper();
    Samples samples;
    samples.count = calibration.samples;
    samples.length = calibration.length;
    Stream& stream = samples.quantized;
    stream.hidden = std::make_unique<ActivationStore>(samples.tokens(), hyper.hidden,
                                                      Compute::kFloat32, std::filesystem::path());
    stream.middle = std::make_unique<ActivationStore>(samples.tokens(), widest(), options_.compute,
                                                      std::filesystem::path());
    const auto embedding = source_.embedding();
    Tensor rows(samples.length, hyper.hidden);
    for (std::size_t first = 0; first < samples.tokens(); first += samples.length) {
      embed(*embedding, hyper.embedding_scale, {calibration.ids.data() + first, samples.length},
            rows.view());
      stream.hidden->put(first, rows.view());
    }
    return samples;
  }

  void prune_blocks() {
    Samples samples;
    if (recipe_.calibrated()) samples = first_samples();
    for (std::size_t layer = 0; layer < source_.hyper().layers; ++layer) {
      Block block = source_.block(layer);
      std::array<Outcome, kRoles> outcomes;
      quantize_block(block, recipe_, options_.compute, samples.count > 0 ? &samples : nullptr,
                     nullptr, [&](const PlannedModule& module, Outcome outcome) {
                       report(module, outcome);
                       outcomes[static_cast<std::size_t>(module.role)] = std::move(outcome);
                       if (!options_.structured()) write_weight(layer, module.role, outcomes);
                     });
      if (options_.structured()) {
        parts_->keep(layer, outcomes[static_cast<std::size_t>(Role::kOutput)].kept_columns,
                     outcomes[static_cast<std::size_t>(Role::kDown)].kept_columns);
        // Those that were replaced have their results in `outcomes`.
        for (std::size_t role = 0; role < kRoles; ++role)
          write_weight(layer, static_cast<Role>(role), outcomes);
      }
      source_.drop_layer(layer);
    }
    if (progress_) progress_({"Pruning", "", 1, 1});
  }

  void write_weight(std::size_t layer, Role role, std::array<Outcome, kRoles>& outcomes) {
    const Tensor dense = std::move(outcomes[static_cast<std::size_t>(role)].dense);
    writer_->add(source_.module_path(layer, role) + ".weight",
                 parts_->weight(layer, role, dense.view()));
  }

  void report(const PlannedModule& module, const Outcome& outcome) {
    PrunedModule pruned;
    pruned.name = module.name;
    pruned.role = module.role;
    pruned.weights = module.shape.rows * module.shape.columns;
    const float* const values = outcome.dense.data();
    pruned.zeros =
        static_cast<std::uint64_t>(std::count(values, values + outcome.dense.size(), 0.0f));
    pruned.weight_error = outcome.weight_error;
    pruned.output_error = outcome.output_error;
    pruned.damping = outcome.damping;
    pruned.dead_columns = outcome.dead_columns;
    pruned.notes = outcome.notes;
    for (const std::string& note : pruned.notes) tell(cat(pruned.name, ": ", note));
    result_.modules.push_back(std::move(pruned));
    if (progress_)
      progress_({"Pruning", module.name, static_cast<double>(result_.modules.size()),
                 static_cast<double>(recipe_.modules.size())});
  }

  void write_carried() {
    for (const TensorInfo& info : source_.checkpoint().tensors()) {
      throw_if_stopped();
      const auto planned = carried_->planned(info);
      if (!planned || parts_->is_weight(planned->name)) continue;
      writer_->add(planned->name, parts_->carried(*planned, carried_->bytes(info)));
      source_.checkpoint().drop(info);
    }
  }

  ModelSource source_;
  std::filesystem::path output_;
  PruneOptions options_;
  const ProgressSink& progress_;
  const LogSink& log_;
  Recipe recipe_;
  std::optional<SmallerParts> parts_;
  std::optional<CarriedParts> carried_;
  std::unique_ptr<ModelWriter> writer_;
  PruneResult result_;
};

}  // namespace

PruneResult prune_model(const std::filesystem::path& model, const std::filesystem::path& output,
                        const PruneOptions& options, const ProgressSink& progress,
                        const LogSink& log, const PrunePlanSink& on_plan) {
  check_options(options);
  return Pruning(model, output, options, progress, log).run(on_plan);
}

}  // namespace nibble
