#include "quantize/quantize.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/background.h"
#include "base/files.h"
#include "base/parallel.h"
#include "base/sha256.h"
#include "base/text.h"
#include "checkpoint/gguf_metadata.h"
#include "kernels/kernels.h"
#include "model/gguf/folder_of_file.h"
#include "model/gguf/model_of.h"
#include "model/onnx/model_of.h"
#include "model/open_tokenizer.h"
#include "model/transformer.h"
#include "nibble/error.h"
#include "quantize/apply_transforms.h"
#include "quantize/block_quantizer.h"
#include "quantize/calibration/input_statistics.h"
#include "quantize/layer/layer_error.h"
#include "quantize/nonfinite.h"
#include "quantize/refinement/chosen_codes.h"
#include "quantize/requantize.h"
#include "quantize/resumable.h"
#include "quantize/types/stored_tensor.h"

namespace nibble {
namespace {

class Job {
 public:
  Job(const std::filesystem::path& model, const std::filesystem::path& output,
      const QuantizeOptions& options, const QuantizeSinks& sinks, const Refinement* refinement)
      : source_(model),
        output_(output),
        options_(options),
        sinks_(sinks),
        refinement_(refinement) {}

  QuantizeResult run(bool dry_run) {
    if (options_.allow_requantize && !from_gguf())
      throw Error(ErrorKind::kInvalidArgument,
                  cat("--allow-requantize would not be read: ", source_.path().string(),
                      " is no GGUF file, whose blocks it is about"),
                  "leave it out; what another folder has quantized is not quantized again");
    for (const std::string& note : source_.notes()) log(note);
    refuse_nonfinite();
    choose_layout();
    recipe_ = make_recipe(source_, options_, unusable_);
    result_.layout = layout().name;
    require_file_name();
    for (const std::string& note : recipe_.notes) log(note);
    if (becomes_folder()) describe_folder();
    const auto tensors = planned_tensors();
    open_statistics();
    open_importance();
    const bool calibrated = recipe_.calibrated() && !statistics_;
    // A dry run tells of files that cannot be used, too.
    if (dry_run && calibrated && !options_.calibration.sources.empty()) gather();
    const std::size_t length = calibrated ? window_length() : 0;
    result_.plan = make_plan(source_, recipe_, options_, tensors,
                             calibrated ? options_.calibration.samples : 0, length);
    warn_of_few_tokens(calibrated ? options_.calibration.samples : result_.calibration.samples,
                       calibrated ? length : result_.calibration.length);
    if (refinement_ != nullptr) refinement_->check(source_, recipe_);
    if (sinks_.planned) sinks_.planned(result_.plan, recipe_);
    const OutputModel model = output_model(tensors);
    if (dry_run) {
      if (layout().rehearse != nullptr) layout().rehearse(output_, model, output_options());
      return std::move(result_);
    }
    writer_ = layout().create(layout(), recipe_.layout_settings, output_, model, output_options());
    hash_inputs();
    if (calibrated && !options_.calibration.sources.empty()) gather();
    open_journal();
    try {
      if (calibrated && result_.calibration.samples == 0) gather_and_keep();
      quantize_blocks();
      if (refinement_ != nullptr) refine();
      store_other_types();
      copy_other_tensors();
      result_.output = writer_->path();
      writer_->finish(passport());
    } catch (const Error&) {
      tell_what_is_kept();
      throw;
    }
    if (journal_)
      journal_->remove();
    else if (const std::string note = left_journal_note(output_); !note.empty())
      log(note);
    return std::move(result_);
  }

 private:
  // "model.gguf" says what is wanted; a folder cannot have that name.
  void choose_layout() {
    const Layout* named = layouts::writing(output_);
    if (named == nullptr) return;
    if (options_.layout.empty()) options_.layout = named->name;
    if (layouts::named(options_.layout).suffix.empty())
      throw Error(ErrorKind::kInvalidArgument,
                  cat(output_.string(), ": layout ", options_.layout, " writes a folder"),
                  cat("name a folder, or take --layout ", named->name));
  }

  void require_file_name() const {
    const std::string_view suffix = layout().suffix;
    if (suffix.empty() && options_.max_part_bytes != 0)
      throw Error(
          ErrorKind::kInvalidArgument,
          cat("--split-max-size would not be read: layout ", layout().name, " writes a folder"),
          "leave it out; --max-shard-size is for folders");
    if (suffix.empty()) return;
    if (options_.max_shard_bytes != QuantizeOptions().max_shard_bytes)
      throw Error(
          ErrorKind::kInvalidArgument,
          cat("--max-shard-size would not be read: layout ", layout().name, " writes one file"),
          "leave it out; --split-max-size cuts such a file in parts");
    if (layouts::writing(output_) == &layout()) return;
    throw Error(
        ErrorKind::kInvalidArgument,
        cat("codes of ", recipe_.layout_settings.base.grid->name, " in layout ", layout().name,
            ": it writes one file, and ", output_.string(), " does not end in ", suffix),
        cat("name it ", output_.string(), suffix));
  }

  void log(const std::string& line) const {
    if (sinks_.log) sinks_.log(line);
  }

  // Of layers whose inputs' products somebody reads.
  void warn_of_few_tokens(std::size_t samples, std::size_t length) {
    std::size_t inputs = 0;
    for (const PlannedModule& module : recipe_.modules)
      if (recipe_.needs_hessian(module.layer, module.role))
        inputs = std::max(inputs, module.shape.columns);
    if (std::string few = few_tokens_note(samples, length, inputs); !few.empty())
      result_.plan.warnings.push_back({false, "calibration.tokens", std::move(few)});
  }

  void open_statistics() {
    if (options_.statistics.empty()) return;
    statistics_.emplace(options_.statistics);
    result_.calibration = statistics_->calibration();
    hash_base();  // before the plan, which must not promise what the job refuses
    statistics_->require_model(base_hashes_.get());
  }

  void open_importance() {
    if (options_.imatrix.empty()) return;
    importance_.emplace(options_.imatrix);
    if (!importance_->note().empty()) log(importance_->note());
    for (const PlannedTensor& tensor : recipe_.tensors) importance_of(tensor);  // its sizes
    std::vector<std::string> missing;
    for (const PlannedModule& module : recipe_.modules)
      if (importance_of(module).empty()) missing.push_back(module.name);
    if (missing.empty()) return;
    const std::string none = cat(options_.imatrix.string(), " says nothing of the inputs of ");
    if (missing.size() == recipe_.modules.size())
      throw Error(ErrorKind::kInvalidArgument, cat(none, "any module"),
                  "make one of this model: nibble imatrix MODEL NAME.gguf");
    log(cat(none, missing.size(), " of ", recipe_.modules.size(),
            " modules, which weigh all alike: ", missing.front(), missing.size() > 1 ? ", …" : ""));
  }

  std::vector<float> importance_of(const PlannedModule& module) const {
    return importance_->of(matrix_name(module.layer, module.role), module.shape.columns);
  }

  // Of what no method quantizes; a file may know of it.
  std::vector<float> importance_of(const PlannedTensor& tensor) const {
    if (!importance_) return {};
    if (tensor.part == GgufPart::kEmbedding)
      return importance_->of("token_embd.weight", tensor.columns);
    if (tensor.part == GgufPart::kHead) return importance_->of("output.weight", tensor.columns);
    for (std::size_t role = 0; role < kRoles; ++role)
      if (gguf_part_of(static_cast<Role>(role)) == tensor.part)
        return importance_->of(matrix_name(tensor.layer, static_cast<Role>(role)), tensor.columns);
    return {};
  }

  void gather() {
    const auto tokenizer = open_tokenizer(source_.path());
    result_.calibration = gather_calibration(source_, *tokenizer, options_.calibration,
                                             options_.compute, sinks_.progress);
    for (const std::string& note : result_.calibration.notes) log(note);
  }

  // Jobs that are over in a minute are as soon done again.
  static constexpr double kWorthKeeping = 60;

  void open_journal() {
    const bool long_job = recipe_.calibrated() || result_.plan.seconds >= kWorthKeeping;
    if (!long_job && options_.resume != Resume::kRequired && refinement_ == nullptr) return;
    const auto place = journal_place(output_);
    journal_.emplace(place, identity(), options_.resume);
    if (!journal_->note().empty()) log(journal_->note());
    if (journal_->state().is_null()) return;
    JobState state = with_context(place.string(), [&] { return kept_state(*journal_, recipe_); });
    journal_->replay([&](std::string_view name, std::span<const std::byte> bytes) {
      throw_if_stopped();
      if (!chosen_.restore(recipe_, name, bytes)) write_tensor(name, bytes);
    });
    result_.resumed_layers = layers_done_ = state.layers;
    result_.calibration = std::move(state.calibration);
    result_.modules = std::move(state.modules);
    result_.transform_notes = std::move(state.transform_notes);
    log(cat("going on after ", layers_done_, " of ", source_.hyper().layers, " layers, from ",
            place.string()));
  }

  Json identity() {
    Json job = job_identity(passport_parts());
    if (refinement_ != nullptr) job["training"] = refinement_->identity;
    return job;
  }

  void refine() {
    const Json job = identity();
    ChosenModel model{source_, result_.calibration, job, chosen_.take()};
    refined_ = refinement_->refine(model);
    for (ChosenCodes& chosen : model.modules) {
      throw_if_stopped();
      const auto report =
          std::find_if(result_.modules.begin(), result_.modules.end(),
                       [&](const ModuleReport& r) { return r.module.name == chosen.module->name; });
      report->codes_sha256 = sha256(std::as_bytes(std::span(chosen.codes.codes)));
      report->weight_error = distance(*chosen.module, chosen.codes);
      report->output_error.reset();  // was that of the codes before
      for (const NamedBytes& tensor :
           layout().write(chosen.module->name, chosen.codes, recipe_.layout_settings))
        write_tensor(tensor.info.name, tensor.bytes);
      chosen.codes = {};
    }
  }

  // ‖W − Ŵ‖² / ‖W‖²
  double distance(const PlannedModule& module, const Codes& codes) const {
    const Block block = source_.block(module.layer);
    Task task;
    Tensor weight(codes.rows, codes.columns);
    block.linear(module.role).decode(0, weight.view());
    task.weight = weight.view();
    Outcome outcome;
    outcome.codes = codes;
    measure(task, outcome);
    return outcome.weight_error;
  }

  void tell_what_is_kept() const {
    if (!journal_ || layers_kept_ == 0) return;
    log(cat("kept: ", layers_kept_, " of ", source_.hyper().layers,
            " layers; the same command goes on from there"));
  }

  void gather_and_keep() {
    gather();
    keep(0, nullptr);
  }

  void keep(std::size_t layers, const Samples* samples) {
    if (!journal_) return;
    const std::string before = journal_->note();
    keep_state(*journal_, {layers, result_.calibration, result_.modules, result_.transform_notes},
               samples);
    layers_kept_ = layers;
    if (journal_->note() != before) log(journal_->note());
  }

  // A tensor of the output that is known before the end.
  void write_tensor(std::string_view name, std::span<const std::byte> bytes) {
    give(name, bytes);
    std::erase_if(carried_, [&](const TensorInfo& info) { return info.name == name; });
  }

  // As the output has it.
  void give(std::string_view name, std::span<const std::byte> bytes) {
    std::vector<std::byte> room;
    const TensorInfo* info = becomes_folder() ? source_.checkpoint().find(name) : nullptr;
    writer_->add(name, info != nullptr ? folder_bytes(source_, *info, bytes, room) : bytes);
  }

  void keep_and_write_tensor(std::string_view name, std::span<const std::byte> bytes) {
    write_tensor(name, bytes);
    if (journal_) journal_->add(name, bytes);
  }

  void describe_folder() {
    std::vector<std::string> notes;
    folder_ = folder_of_gguf(source_, notes);
    for (const std::string& note : notes) log(note);
  }

  bool becomes_folder() const { return from_gguf() && layout().suffix.empty(); }
  bool from_gguf() const { return source_.checkpoint().gguf() != nullptr; }
  const Layout& layout() const { return *recipe_.layout; }

  std::size_t window_length() const {
    return options_.calibration.length != 0 ? options_.calibration.length
                                            : std::min<std::size_t>(512, source_.hyper().context);
  }

  void refuse_nonfinite() {
    for (const NonFinite& found : find_nonfinite(source_.checkpoint())) {
      const std::string text = cat("tensor \"", found.tensor, "\" holds ", found.count,
                                   " values that are not finite, the first at index ", found.first);
      if (!options_.allow_nonfinite)
        throw Error(ErrorKind::kNumeric, text,
                    "check where the checkpoint comes from; --allow-nonfinite leaves such tensors "
                    "unquantized");
      log(text + "; left as it is");
      unusable_.insert(found.tensor.substr(0, found.tensor.rfind('.')));
    }
  }

  OutputOptions output_options() const {
    return {.replace = options_.force,
            .max_shard_bytes = options_.max_shard_bytes,
            .max_part_bytes = options_.max_part_bytes};
  }

  // What the output must not replace: the model, and what else the job reads.
  std::vector<std::filesystem::path> all_inputs() const {
    auto inputs = source_.inputs();
    for (const auto& file : {options_.statistics, options_.imatrix})
      if (!file.empty()) inputs.push_back(file);
    for (const CalibrationFile& file : options_.calibration.sources)
      if (std::error_code ignored; std::filesystem::is_regular_file(file.path, ignored))
        inputs.push_back(file.path);
    return inputs;
  }

  OutputModel output_model(const std::vector<TensorInfo>& tensors) const {
    OutputModel model{
        .inputs = all_inputs(),
        .source = from_gguf() ? std::filesystem::path() : source_.folder(),
        .side_files = folder_.files,
        .config = becomes_folder() ? &folder_.config : &source_.config(),
        .tensors = tensors,
        .passport_bytes = 8192 + 1024 * (recipe_.modules.size() + recipe_.tensors.size()),
        .gguf = {}};
    model.gguf = [this, tensors] {
      std::vector<std::string> notes;
      GgufModel gguf = gguf_model_of(source_, tensors, notes);
      for (const std::string& note : notes) log(note);
      return gguf;
    };
    model.onnx = [this, tensors](const OnnxProduct& product) {
      return onnx_model_of(source_, tensors, product);
    };
    return model;
  }

  // Every tensor of the output, in the input's order, modules replaced by their quantized form.
  std::vector<TensorInfo> planned_tensors() {
    std::vector<TensorInfo> tensors;
    for (const TensorInfo& info : source_.checkpoint().tensors()) {
      const PlannedModule* module = module_of(info.name);
      if (const PlannedTensor* other = recipe_.tensor(info.name)) {
        tensors.push_back(other->info());
        continue;
      }
      if (module == nullptr) {
        if (becomes_folder() && left_out_of_folder(info)) continue;
        tensors.push_back(becomes_folder() ? folder_info(source_, info) : info);
        carried_.push_back(info);
        continue;
      }
      auto parts = layout().plan(module->name, module->shape, recipe_.layout_settings);
      tensors.insert(tensors.end(), std::make_move_iterator(parts.begin()),
                     std::make_move_iterator(parts.end()));
    }
    return tensors;
  }

  const PlannedModule* module_of(std::string_view tensor) const {
    if (!tensor.ends_with(".weight")) return nullptr;
    tensor.remove_suffix(7);
    for (const PlannedModule& module : recipe_.modules)
      if (module.name == tensor) return &module;
    return nullptr;
  }

  void quantize_blocks() {
    const HyperParams& hyper = source_.hyper();
    Samples samples;
    if (result_.calibration.samples > 0 && !statistics_) {
      samples.count = result_.calibration.samples;
      samples.length = result_.calibration.length;
      samples.quantized = new_stream(samples.count, samples.length);
      samples.followed = recipe_.followed_windows(samples.count);
      if (samples.followed > 0) samples.original = new_stream(samples.followed, samples.length);
    }
    if (journal_ && layers_done_ > 0 && samples.count > 0) restore_samples(*journal_, samples);
    layers_kept_ = layers_done_;
    double work_total = 0;
    for (const PlannedModule& module : recipe_.modules)
      if (module.layer >= layers_done_) work_total += weight_count(module);
    double work_done = 0;
    for (std::size_t layer = layers_done_; layer < hyper.layers; ++layer) {
      Block block = source_.block(layer);
      Samples* const moving = samples.count > 0 ? &samples : nullptr;
      StageInputs inputs = inputs_of(block);
      StageInputs* const known = statistics_ || importance_ ? &inputs : nullptr;
      write_transformed(apply_transforms(source_, block, recipe_, options_.compute, moving, known));
      quantize_block(block, recipe_, options_.compute, moving, known,
                     [&](const PlannedModule& module, Outcome outcome) {
                       write_module(module, std::move(outcome));
                       work_done += weight_count(module);
                       if (sinks_.progress)
                         sinks_.progress({"Quantizing", module.name, work_done, work_total});
                     });
      source_.drop_layer(layer);
      // Every run gets at least one layer further.
      const bool last = refinement_ != nullptr && layer + 1 == hyper.layers;
      if (journal_ && (layer == layers_done_ || last || journal_->due())) keep(layer + 1, moving);
    }
  }

  // From the statistics, where there are some and somebody reads them.
  StageInputs inputs_of(const Block& block) const {
    StageInputs inputs;
    for (std::size_t role = 0; importance_ && role < kRoles; ++role)
      if (const PlannedModule* module = recipe_.find(block.layer, static_cast<Role>(role)))
        inputs.squares[role] = importance_of(*module);
    if (!statistics_) return inputs;
    const bool all = !recipe_.transforms.empty();
    for (const Stage stage : kStages) {
      const auto roles = roles_of(stage);
      const auto index = static_cast<std::size_t>(stage);
      const std::size_t columns = block.linear(roles.front()).inputs();
      if (all || std::any_of(roles.begin(), roles.end(),
                             [&](Role role) { return recipe_.needs_hessian(block.layer, role); }))
        inputs.products[index] = statistics_->products(block.layer, stage, columns);
      if (all) inputs.peaks[index] = statistics_->peaks(block.layer, stage, columns);
    }
    return inputs;
  }

  static double weight_count(const PlannedModule& module) {
    return static_cast<double>(module.shape.rows) * static_cast<double>(module.shape.columns);
  }

  // The embeddings of the first `windows` windows.
  Stream new_stream(std::size_t windows, std::size_t length) const {
    const HyperParams& hyper = source_.hyper();
    const auto spill = result_.plan.spill ? writer_->scratch() : std::filesystem::path();
    const std::size_t widest =
        std::max({hyper.hidden, hyper.mlp_hidden, hyper.heads * hyper.head_dim});
    Stream stream;
    stream.hidden =
        std::make_unique<ActivationStore>(windows * length, hyper.hidden, Compute::kFloat32, spill);
    stream.middle =
        std::make_unique<ActivationStore>(windows * length, widest, options_.compute, spill);
    const auto embedding = source_.embedding();
    for (std::size_t window = 0; window < windows; ++window) {
      Tensor rows(length, hyper.hidden);
      embed(*embedding, hyper.embedding_scale,
            {result_.calibration.ids.data() + window * length, length}, rows.view());
      stream.hidden->put(window * length, rows.view());
    }
    return stream;
  }

  void write_transformed(const Transformed& transformed) {
    for (const std::string& note : transformed.notes) {
      log(note);
      result_.transform_notes.push_back(note);
    }
    for (const FloatBlock::Change& change : transformed.changes)
      keep_and_write_tensor(change.info.name, change.bytes);
  }

  void write_module(const PlannedModule& module, Outcome outcome) {
    const auto codes = std::as_bytes(std::span(outcome.codes.codes));
    Background<std::string> codes_sum([codes](const std::stop_token&) { return sha256(codes); });
    if (refinement_ == nullptr)
      for (const NamedBytes& tensor :
           layout().write(module.name, outcome.codes, recipe_.layout_settings))
        keep_and_write_tensor(tensor.info.name, tensor.bytes);
    ModuleReport report;
    report.module = module;
    report.weight_error = outcome.weight_error;
    report.output_error = outcome.output_error;
    report.damping = outcome.damping;
    report.dead_columns = outcome.dead_columns;
    report.fallback = outcome.fallback;
    report.notes = outcome.notes;
    report.codes_sha256 = codes_sum.get();
    if (refinement_ != nullptr)
      chosen_.add(journal_ ? &*journal_ : nullptr, module, std::move(outcome.codes));
    result_.modules.push_back(report);
    if (sinks_.module_done)
      sinks_.module_done(report, result_.modules.size(), recipe_.modules.size());
  }

  void store_other_types() {
    for (const PlannedTensor& tensor : recipe_.tensors) {
      const StoredTensor stored = stored_tensor(source_, tensor, importance_of(tensor));
      writer_->add(tensor.name, stored.bytes);
      result_.tensors.push_back({tensor, stored.weight_error});
    }
  }

  void copy_other_tensors() {
    std::vector<std::byte> room;
    for (const TensorInfo& info : carried_) {
      throw_if_stopped();
      give(info.name, source_.bytes(info, room));
      source_.checkpoint().drop(info);
    }
    for (PlannedTensor& kept : kept_blocks(source_, recipe_))
      result_.tensors.push_back({std::move(kept), 0});
  }

  void hash_base() {
    if (base_hashes_.begun()) return;
    base_hashes_ = Background<Json>([base = model_files(source_)](const std::stop_token& stop) {
      return hash_files(base, stop);
    });
  }

  void hash_inputs() {
    hash_base();
    tokenizer_hashes_ = hash_files(from_gguf() ? beside_gguf() : tokenizer_files(source_.folder()));
    for (const SideFile& file : folder_.files)
      if (file.name.starts_with("tokenizer"))
        tokenizer_hashes_[file.name] = sha256(std::as_bytes(std::span(file.text)));
  }

  // What calibration would read in place of the file's own lists.
  std::vector<std::filesystem::path> beside_gguf() const {
    const GgufMetadata& metadata = *source_.checkpoint().gguf();
    if (!metadata.has("tokenizer.ggml.tokens")) return {};
    auto beside =
        tokenizer_beside(source_.checkpoint().files().front(), read_gguf_vocabulary(metadata));
    if (beside.empty()) return {};
    return {std::move(beside)};
  }

  PassportParts passport_parts() {
    PassportParts parts;
    parts.base_files = base_hashes_.get();
    parts.tokenizer_files = tokenizer_hashes_;
    parts.recipe = &recipe_;
    parts.options = &options_;
    parts.calibration = result_.calibration.samples > 0 ? &result_.calibration : nullptr;
    parts.importance = importance_ ? &*importance_ : nullptr;
    parts.modules = &result_.modules;
    parts.tensors = &result_.tensors;
    parts.transform_notes = &result_.transform_notes;
    parts.isa = kernels().name;
    return parts;
  }

  Json passport() {
    Json passport = make_passport(passport_parts());
    if (!refined_.is_null()) passport["training"] = refined_;
    return passport;
  }

  ModelSource source_;
  std::filesystem::path output_;
  QuantizeOptions options_;
  const QuantizeSinks& sinks_;
  std::set<std::string> unusable_;
  Recipe recipe_;
  FolderOfFile folder_;  // of a GGUF file that becomes one
  std::vector<TensorInfo> carried_;
  std::unique_ptr<ModelWriter> writer_;
  Background<Json> base_hashes_;  // gigabytes take seconds
  Json tokenizer_hashes_;
  std::optional<InputStatistics> statistics_;
  std::optional<InputImportance> importance_;
  std::optional<Journal> journal_;
  const Refinement* refinement_;  // null: codes are written as they are chosen
  ChosenList chosen_;             // for it
  Json refined_;
  std::size_t layers_done_ = 0;  // by the run before
  std::size_t layers_kept_ = 0;
  QuantizeResult result_;
};

}  // namespace

QuantizeResult quantize_model(const std::filesystem::path& model,
                              const std::filesystem::path& output, const QuantizeOptions& options,
                              const QuantizeSinks& sinks, bool dry_run,
                              const Refinement* refinement) {
  return Job(model, output, options, sinks, refinement).run(dry_run);
}

}  // namespace nibble
