#include "train/full/full_training.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/memory.h"
#include "base/text.h"
#include "checkpoint/layout.h"
#include "checkpoint/output_folder.h"
#include "kernels/kernels.h"
#include "nibble/error.h"
#include "quantize/passport.h"
#include "quantize/resumable.h"
#include "train/footprint.h"
#include "train/full/full_parameters.h"
#include "train/teacher.h"

namespace nibble {
namespace {

// Value, gradient and two moments.
constexpr std::uint64_t kTrainedBytes = 16;

class FullTraining {
 public:
  FullTraining(const std::filesystem::path& model, std::filesystem::path output,
               const FullTrainingOptions& options, const ProgressSink& progress, const LogSink& log)
      : source_(model),
        output_(std::move(output)),
        options_(options),
        progress_(progress),
        log_(log),
        loop_(options, progress, log) {}

  FullTrainingResult run(const std::function<void(const FullTrainingPlan&)>& on_plan) {
    check_loop(options_);
    if (options_.compute == Compute::kInt8)
      throw Error(
          ErrorKind::kInvalidArgument,
          "--compute int8 would round nothing: all weights are floats while they are trained",
          "use f32 or bf16");
    for (const std::string& note : source_.notes()) tell(note);
    open_teacher();
    refuse_existing();
    loop_.read(source_);
    TrainingModel model(source_);
    make_plan(model);
    if (on_plan) on_plan(result_.plan);
    // What was only rounded to 0 is not kept there.
    const bool packed = layouts::claiming(source_.config()) != nullptr || has_blocks();
    FullParameters all(source_, model);
    if (options_.keep_zeros && !packed) result_.zeros = all.keep_zeros();
    std::optional<TrainingModel> wise;
    if (teacher_) {
      wise.emplace(*teacher_);
      wise->prepare(options_.compute);
    }
    const Teacher teacher{wise ? &*wise : nullptr, options_.temperature};
    const Json job = identity();
    Journal journal(journal_place(output_), job, options_.resume);
    tell(journal.note());
    loop_.run(model, all, journal, wise ? &teacher : nullptr);
    static_cast<LoopResult&>(result_) = loop_.result();
    write_trained_folder(output_, source_, all, passport(job),
                         {.dtype = options_.dtype, .replace = options_.replace}, progress_, log_);
    journal.remove();
    return std::move(result_);
  }

 private:
  void tell(const std::string& line) const {
    if (log_ && !line.empty()) log_(line);
  }

  void open_teacher() {
    if (options_.teacher.empty()) return;
    teacher_.emplace(options_.teacher);
    for (const std::string& note : teacher_->notes()) tell(note);
    require_same_tokens(source_, *teacher_);
  }

  // Before hours of work; write_trained_folder looks again.
  void refuse_existing() const {
    auto inputs = source_.inputs();
    if (teacher_) {
      const auto wise = teacher_->inputs();
      inputs.insert(inputs.end(), wise.begin(), wise.end());
    }
    OutputFolder(output_, OutputFolder::Options{options_.replace, inputs});
  }

  bool has_blocks() const {
    const auto tensors = source_.checkpoint().tensors();
    return std::any_of(tensors.begin(), tensors.end(),
                       [](const TensorInfo& info) { return info.blocks != nullptr; });
  }

  void make_plan(TrainingModel& model) {
    FullTrainingPlan& plan = result_.plan;
    static_cast<LoopPlan&>(plan) = loop_.plan();
    const HyperParams& hyper = source_.hyper();
    plan.parameters = hyper.vocabulary * hyper.hidden * (hyper.tied_head ? 1 : 2);
    for (const Block& block : model.blocks())
      for (const auto& linear : block.linears)
        plan.parameters += linear->inputs() * linear->outputs();
    const Footprint pass =
        training_footprint(source_, {.rank = 0}, "", loop_.length(), options_.compute);
    plan.memory = pass.bytes() + kTrainedBytes * plan.parameters + (teacher_ ? pass.head : 0) +
                  (options_.patience > 0 ? 4 * plan.parameters : 0);
    const std::uint64_t available = available_memory();
    if (plan.memory > available)
      throw Error(ErrorKind::kResource,
                  cat("training all parameters needs ", human_bytes(plan.memory), " of memory; ",
                      human_bytes(available), " are available"),
                  "train an adapter instead: nibble finetune MODEL OUT --base nf4");
  }

  Json identity() const {
    Json job = loop_.identity();
    job.update({{"job", "train"},
                {"version", NIBBLE_VERSION},
                {"instruction_set", kernels().name},
                {"base_files", hash_files(model_files(source_))},
                {"teacher", teacher_ ? hash_files(model_files(*teacher_)) : Json()},
                {"temperature", options_.temperature},
                {"keep_zeros", options_.keep_zeros},
                {"dtype", name(options_.dtype)}});
    return job;
  }

  Json passport(const Json& job) const {
    Json training = job;
    training["written_step"] = result_.best_step;
    training["loss"] = result_.loss;
    if (result_.validation) training["validation_loss"] = *result_.validation;
    return {{"schema", "nibble.passport/1"},
            {"version", NIBBLE_VERSION},
            {"base", job["base_files"]},
            {"tokenizer", hash_files(tokenizer_files(source_.folder()))},
            {"calibration", nullptr},
            {"recipe", Json::object()},
            {"modules", Json::array()},
            {"training", std::move(training)}};
  }

  ModelSource source_;
  std::filesystem::path output_;
  FullTrainingOptions options_;
  const ProgressSink& progress_;
  const LogSink& log_;
  TrainingLoop loop_;
  std::optional<ModelSource> teacher_;
  FullTrainingResult result_;
};

}  // namespace

FullTrainingResult train_fully(const std::filesystem::path& model,
                               const std::filesystem::path& output,
                               const FullTrainingOptions& options, const ProgressSink& progress,
                               const LogSink& log,
                               const std::function<void(const FullTrainingPlan&)>& on_plan) {
  return FullTraining(model, output, options, progress, log).run(on_plan);
}

}  // namespace nibble
