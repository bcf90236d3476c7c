#include "train/finetune.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "base/memory.h"
#include "base/text.h"
#include "checkpoint/output_folder.h"
#include "kernels/kernels.h"
#include "model/adapter/adapter_writer.h"
#include "nibble/error.h"
#include "quantize/passport.h"
#include "quantize/resumable.h"
#include "train/footprint.h"
#include "train/packed_base.h"

namespace nibble {
namespace {

constexpr const char* kAdapterConfig = "adapter_config.json";
constexpr std::uint64_t kMostLogBytes = 1u << 30;

void check_options(const FinetuneOptions& options) {
  if (options.lora.rank == 0)
    throw Error(ErrorKind::kInvalidArgument, "--rank 0 trains nothing",
                "give a rank, for example 16");
  check_loop(options);
  check_targets(options.lora);
  if (!options.base.empty()) packed_bits(options.base, options.compute);  // throws for others
}

// The seed is one for the first values and the order of the samples.
LoopOptions loop_of(const FinetuneOptions& options) {
  LoopOptions loop = options;
  loop.seed = options.lora.seed;
  return loop;
}

class Finetuning {
 public:
  Finetuning(const std::filesystem::path& model, const std::filesystem::path& output,
             const FinetuneOptions& options, const ProgressSink& progress, const LogSink& log)
      : source_(model),
        output_(output),
        options_(options),
        progress_(progress),
        log_(log),
        loop_(loop_of(options), progress, log) {}

  FinetuneResult run(const PlanSink& on_plan) {
    check_options(options_);
    for (const std::string& note : source_.notes()) tell(note);
    const bool finished =
        options_.take_finished && std::filesystem::exists(output_ / kPassportName);
    std::optional<OutputFolder> folder;
    if (!finished) claim(folder);  // before anything long
    loop_.read(source_);
    const FinetunePlan plan = make_plan();
    if (finished) {
      job_ = identity();
      if (take_finished()) return result_of(plan);
      claim(folder);
    }
    if (on_plan) on_plan(plan);
    TrainingModel model(source_);
    if (!options_.base.empty())
      pack_base(model, source_, options_.base, options_.compute, progress_);
    model.prepare(options_.compute);
    LoraLayers lora(source_, model, options_.lora);
    if (job_.is_null()) job_ = identity();
    const auto place = journal_place(output_);
    Journal journal(place, job_, options_.resume);
    tell(journal.note());
    loop_.run(model, lora, journal);
    write(*folder, lora);
    journal.remove();
    return result_of(plan);
  }

 private:
  void tell(const std::string& line) const {
    if (log_ && !line.empty()) log_(line);
  }

  FinetuneResult result_of(const FinetunePlan& plan) const {
    FinetuneResult result;
    static_cast<LoopResult&>(result) = loop_.result();
    result.plan = plan;
    return result;
  }

  FinetunePlan make_plan() const {
    FinetunePlan plan;
    static_cast<LoopPlan&>(plan) = loop_.plan();
    Footprint footprint =
        training_footprint(source_, options_.lora, options_.base, loop_.length(), options_.compute);
    footprint.best = options_.patience > 0 ? 4 * footprint.trained_values : 0;
    plan.base_values = footprint.base_values;
    plan.trained_values = footprint.trained_values;
    plan.memory = footprint.bytes();
    const std::uint64_t available = available_memory();
    if (plan.memory > available)
      throw Error(ErrorKind::kResource,
                  cat("training needs ", human_bytes(plan.memory), " of memory; ",
                      human_bytes(available), " are available"),
                  "use --base nf4, a shorter --seq-len or a smaller --rank");
    return plan;
  }

  Json identity() const {
    const LoraOptions& lora = options_.lora;
    Json job = loop_.identity();
    job.update({{"job", "finetune"},
                {"version", NIBBLE_VERSION},
                {"instruction_set", kernels().name},
                {"base_files", hash_files(model_files(source_))},
                {"rank", lora.rank},
                {"alpha", lora.alpha},
                {"rslora", lora.rank_stabilized},
                {"dora", lora.magnitude},
                {"targets", lora.targets},
                {"base", options_.base}});
    return job;
  }

  // --force replaces an adapter, never a model.
  void claim(std::optional<OutputFolder>& folder) const {
    if (options_.replace && std::filesystem::exists(output_ / kPassportName) &&
        !std::filesystem::exists(output_ / kAdapterConfig))
      throw Error(ErrorKind::kInvalidArgument,
                  cat(output_.string(), ": is not replaced, since it holds no adapter"),
                  "choose another output folder");
    folder.emplace(output_, OutputFolder::Options{options_.replace, source_.inputs()});
  }

  // Is the very same job's output there already? Then its log tells what came of it.
  bool take_finished() {
    Json passport = read_json(output_ / kPassportName);
    const Json written = passport.value("written_step", Json(nullptr));
    passport.erase("written_step");
    if (passport != job_ || !written.is_number_unsigned()) return false;
    loop_.take_log(read_file(output_ / "log.jsonl", kMostLogBytes), written.get<std::size_t>());
    tell(cat(output_.string(), " is there already, from the same job"));
    return true;
  }

  void write(OutputFolder& folder, const LoraLayers& lora) {
    write_adapter(folder.folder(), lora.adapter(),
                  {.base_model = options_.base_name,
                   .alpha = options_.lora.alpha,
                   .rank_stabilized = options_.lora.rank_stabilized});
    folder.write_text("log.jsonl", loop_.log_lines());
    job_["written_step"] = loop_.result().best_step;
    folder.write_text(std::string(kPassportName), job_.dump(2) + "\n");
    folder.finish();
  }

  ModelSource source_;
  std::filesystem::path output_;
  FinetuneOptions options_;
  const ProgressSink& progress_;
  const LogSink& log_;
  TrainingLoop loop_;
  Json job_;
};

}  // namespace

FinetuneResult finetune(const std::filesystem::path& model, const std::filesystem::path& output,
                        const FinetuneOptions& options, const ProgressSink& progress,
                        const LogSink& log, const PlanSink& on_plan) {
  return Finetuning(model, output, options, progress, log).run(on_plan);
}

}  // namespace nibble
