// The loop that all training shares: samples in packs, steps of AdamW, the held-out loss, a log,
// and a state from which the same job goes on to the same bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/journal.h"
#include "base/progress.h"
#include "nibble/compute.h"
#include "nibble/resume.h"
#include "train/adamw.h"
#include "train/batches.h"

namespace nibble {

struct LoopOptions {
  std::filesystem::path data;
  std::filesystem::path validation = {};  // empty: the last samples of the data
  double validation_share = 0.05;         // of the samples, where there is no file
  std::size_t length = 0;  // tokens in a pack, and at most in a sample; 0: min(512, context)
  std::size_t batch = 4;   // packs in a step, at most all there are
  double epochs = 1;
  std::size_t steps = 0;            // 0: as many as the epochs make
  double learning_rate = 2e-4;      // at its highest
  double warmup = 0.03;             // share of the steps in which it rises to that
  std::string schedule = "cosine";  // how it goes on: cosine or linear, to 0, or constant
  double clip = 1;                  // length that gradients have at most; 0: any
  AdamWOptions adamw = {};
  std::size_t validate_every = 0;  // steps; 0: a tenth of them
  std::size_t patience = 0;        // validations without a better loss after which it ends; 0: all
  std::uint64_t seed = 0;          // of the order of the samples
  Compute compute = Compute::kFloat32;
  Resume resume = Resume::kAuto;
};
// Throws kInvalidArgument for options that make no sense.
void check_loop(const LoopOptions& options);

struct LoopPlan {
  std::size_t samples = 0, validation_samples = 0, steps = 0;
  std::size_t tokens = 0, learnt_tokens = 0;  // in all steps
};

struct LoopResult {
  std::size_t steps = 0, resumed_steps = 0;
  double loss = 0;  // mean over the last tenth of all steps
  std::optional<double> validation_before, validation, validation_best;
  std::size_t best_step = 0;  // whose parameters were taken
  double seconds = 0;         // of the steps of this run
  std::size_t tokens = 0;     // gone through in them
};

// What a loop trains: parameters of a TrainingModel.
class Trainee {
 public:
  virtual ~Trainee() = default;
  virtual std::span<Parameter> parameters() = 0;
  // Where TrainingModel::gradient() adds to theirs.
  virtual const ModelGradients& gradients() const = 0;
  // After the parameters have changed.
  virtual void refresh() = 0;
};

// The learning rate of the `step`-th of `steps` steps, from 1.
double learning_rate_at(const LoopOptions& options, std::size_t step, std::size_t steps);

class TrainingLoop {
 public:
  TrainingLoop(LoopOptions options, const ProgressSink& progress, const LogSink& log)
      : options_(std::move(options)), progress_(progress), log_(log) {}

  // Reads the samples of the files and plans the steps. Throws what read_samples throws.
  void read(const ModelSource& source);
  // The same for samples that are there already, all of one length at most; `hash` names them.
  void take(std::vector<Sample> samples, std::size_t length, std::string hash);

  void set_learning_rate(double rate) { options_.learning_rate = rate; }
  const LoopPlan& plan() const { return plan_; }
  std::size_t length() const { return length_; }
  // All of the options and samples that the result depends on.
  Json identity() const;

  // Trains, or goes on from the journal's state. `teacher`: whose predictions are learnt instead of
  // the samples' own next tokens; may be null. Of the parameters at validations those with the
  // lowest loss are taken where `patience` asks for it, else the last. Throws kNumeric for a loss
  // or gradient that is not finite.
  void run(TrainingModel& model, Trainee& trainee, Journal& journal, const Teacher* teacher = {});
  // What a finished run's log tells of it.
  void take_log(std::string_view lines, std::size_t best_step);

  const LoopResult& result() const { return result_; }
  const std::string& log_lines() const { return log_lines_; }  // one JSON object for each event

 private:
  void tell(const std::string& line) const {
    if (log_ && !line.empty()) log_(line);
  }
  void hold_out();
  void make_plan();
  std::size_t validate_every() const;
  void restore();
  std::vector<std::span<std::byte>> state_parts();
  void keep();
  void record(const Json& line);
  double validation_loss() const;
  void keep_best();
  bool validate();
  void one_step();
  void all_steps();
  bool validation_is_due() const;
  [[noreturn]] void refuse_not_finite(double loss) const;
  void set_loss();
  void warn_of_rise() const;
  void report(const std::string& label) const;

  LoopOptions options_;
  const ProgressSink& progress_;
  const LogSink& log_;
  LoopPlan plan_;
  LoopResult result_;
  std::size_t length_ = 0, batch_ = 0, step_ = 0, kept_step_ = 0, validated_step_ = 0;
  bool ended_ = false;
  Json hashes_;
  std::vector<Sample> samples_, held_out_;
  std::vector<Pack> packs_;
  std::vector<std::vector<float>> best_;
  std::vector<double> losses_;  // of all steps
  std::string log_lines_;
  // While run() is at work.
  TrainingModel* model_ = nullptr;
  Trainee* trainee_ = nullptr;
  Journal* journal_ = nullptr;
  const Teacher* teacher_ = nullptr;
};

}  // namespace nibble
