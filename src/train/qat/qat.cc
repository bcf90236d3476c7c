#include "train/qat/qat.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/memory.h"
#include "base/text.h"
#include "model/open_tokenizer.h"
#include "nibble/error.h"
#include "quantize/resumable.h"
#include "train/footprint.h"
#include "train/qat/grid_layers.h"
#include "train/teacher.h"

namespace nibble {
namespace {

// What is trained of a module takes four floats each: value, gradient, two moments.
constexpr std::uint64_t kTrainedBytes = 16;
// Of scales, at 2 bits; a quarter for each further bit: what is lost falls like that.
constexpr double kRateOfTwoBits = 1.5e-2;

std::filesystem::path training_journal(const std::filesystem::path& output) {
  std::filesystem::path beside = output;
  beside += ".training";
  return journal_place(beside);
}

class Training {
 public:
  Training(std::filesystem::path output, const QatOptions& options, const QuantizeSinks& sinks,
           const QatPlanSink& on_plan)
      : output_(std::move(output)),
        options_(options),
        sinks_(sinks),
        on_plan_(on_plan),
        loop_(options, sinks.progress, sinks.log) {
    training_.weights = options.weights;
    training_.scales = options.scales;
  }

  Refinement refinement(const std::filesystem::path& model) {
    if (!options_.data.empty()) loop_.read(ModelSource(model));
    if (!options_.plain) {
      teacher_source_.emplace(options_.teacher.empty() ? model : options_.teacher);
      if (const auto& notes = teacher_source_->notes(); !options_.teacher.empty())
        for (const std::string& note : notes) tell(note);
    }
    Refinement refinement;
    refinement.identity = identity();
    refinement.check = [this](const ModelSource& source, const Recipe& recipe) {
      check(source, recipe);
    };
    refinement.refine = [this](ChosenModel& chosen) { return train(chosen); };
    return refinement;
  }

  const TrainingLoop& loop() const { return loop_; }
  const QatPlan& plan() const { return plan_; }
  void forget_journal() { std::filesystem::remove_all(training_journal(output_)); }

 private:
  void tell(const std::string& line) const {
    if (sinks_.log && !line.empty()) sinks_.log(line);
  }

  Json identity() const {
    Json job = options_.data.empty() ? Json{{"samples", "calibration"}} : loop_.identity();
    job.update({{"weights", options_.weights},
                {"scales", options_.scales},
                {"weight_rate", options_.weight_rate},
                {"temperature", options_.temperature},
                {"teacher", teacher_source_ ? hash_files(model_files(*teacher_source_)) : Json()}});
    return job;
  }

  void check(const ModelSource& source, const Recipe& recipe) {
    if (!recipe.transforms.empty())
      throw Error(ErrorKind::kUnsupported,
                  "qat trains the model's own weights, and a transform would change them first",
                  "leave --transform out");
    if (teacher_source_) require_same_tokens(source, *teacher_source_);
    bool any = false;
    for (const PlannedModule& module : recipe.modules) {
      if (module.shape.grid->dimension != 1 || module.shape.code_bytes() != 1)
        throw Error(ErrorKind::kUnsupported,
                    cat(module.name, ": codes of ", module.shape.grid->name,
                        " stand for several weights, which qat does not "
                        "train"),
                    "choose another --grid");
      any |= options_.weights || scales_are_trained(module.storable, training_);
    }
    if (!any)
      throw Error(
          ErrorKind::kUnsupported,
          "the scales of this type are stored together and are not trained",
          "leave --scales-only out: weights are trained between the scales that were found");
    plan_.modules = recipe.modules.size();
    std::size_t largest = 0;
    for (const PlannedModule& module : recipe.modules) {
      const CodeShape& shape = module.shape;
      const std::size_t values = shape.rows * shape.columns;
      plan_.base_values += values;
      if (options_.weights) plan_.trained_values += values;
      if (scales_are_trained(module.storable, training_))
        plan_.trained_values += shape.rows * shape.groups();
      largest = std::max(largest, values);
    }
    set_rates(recipe);
    check_memory(source, largest);
  }

  void set_rates(const Recipe& recipe) {
    double rate = options_.learning_rate;
    if (rate == 0) {
      double bits = 0;
      for (const PlannedModule& module : recipe.modules)
        bits += module.shape.grid->bits_per_weight() *
                static_cast<double>(module.shape.rows * module.shape.columns);
      rate = kRateOfTwoBits * std::pow(4, 2 - bits / static_cast<double>(plan_.base_values));
      loop_.set_learning_rate(rate);
    }
    training_.weight_rate = options_.weight_rate / rate;
  }

  void check_memory(const ModelSource& source, std::size_t largest) {
    const std::size_t context = source.hyper().context;
    const std::size_t tokens =
        loop_.length() != 0 ? loop_.length() : std::min<std::size_t>(512, context);
    const Footprint pass = training_footprint(source, {.rank = 0}, "", tokens, options_.compute);
    plan_.memory = pass.bytes() + plan_.base_values + kTrainedBytes * plan_.trained_values +
                   std::min<std::uint64_t>(4 * largest, 4u << 20) +
                   (options_.plain ? 0 : pass.head + 2 * tokens * source.hyper().hidden * 4);
    if (options_.patience > 0) plan_.memory += 4 * plan_.trained_values;
    const std::uint64_t available = available_memory();
    if (plan_.memory > available)
      throw Error(ErrorKind::kResource,
                  cat("training needs ", human_bytes(plan_.memory), " of memory; ",
                      human_bytes(available), " are available"),
                  options_.weights ? "use --scales-only, or a shorter --seq-len"
                                   : "use a shorter --seq-len");
  }

  // Without data of its own it learns what the codes were chosen by.
  void take_calibration(const ChosenModel& chosen) {
    Calibration own;
    const Calibration* windows = &chosen.calibration;
    if (windows->ids.empty()) {
      const auto tokenizer = open_tokenizer(chosen.source.path());
      own = gather_calibration(chosen.source, *tokenizer, options_.quantize.calibration,
                               options_.compute, sinks_.progress);
      windows = &own;
    }
    std::vector<Sample> samples;
    for (std::size_t i = 0; i < windows->samples; ++i) {
      const auto first = windows->ids.begin() + static_cast<std::ptrdiff_t>(i * windows->length);
      Sample sample;
      sample.ids.assign(first, first + static_cast<std::ptrdiff_t>(windows->length));
      sample.learnt.assign(windows->length, 1);
      sample.learnt.front() = 0;
      samples.push_back(std::move(sample));
    }
    loop_.take(std::move(samples), windows->length, windows->hash);
  }

  Json train(ChosenModel& chosen) {
    for (const ChosenCodes& one : chosen.modules)
      if (!one.codes.group_index.empty())
        throw Error(ErrorKind::kUnsupported,
                    cat(one.module->name, ": its columns lie in their groups in another order"),
                    "leave --act-order out");
    if (options_.data.empty()) take_calibration(chosen);
    static_cast<LoopPlan&>(plan_) = loop_.plan();
    if (on_plan_) on_plan_(plan_);
    TrainingModel model(chosen.source);
    GridLayers layers(model, chosen.modules, training_);
    for (std::size_t layer = 0; layer < model.blocks().size(); ++layer)
      chosen.source.drop_layer(layer);
    std::optional<TrainingModel> teacher_model;
    if (teacher_source_) {
      teacher_model.emplace(*teacher_source_);
      teacher_model->prepare(options_.compute);
    }
    const Teacher teacher{teacher_model ? &*teacher_model : nullptr, options_.temperature};
    Json job = chosen.identity;
    job["windows"] = loop_.identity();
    Journal journal(training_journal(output_), job, options_.resume);
    tell(journal.note());
    loop_.run(model, layers, journal, teacher_model ? &teacher : nullptr);
    Json told = loop_.identity();
    told.update(identity());
    const LoopResult& result = loop_.result();
    told["written_step"] = result.best_step;
    if (result.validation_before) told["validation_loss_before"] = *result.validation_before;
    if (result.validation)
      told["validation_loss"] =
          options_.patience > 0 ? *result.validation_best : *result.validation;
    return told;
  }

  std::filesystem::path output_;
  QatOptions options_;
  const QuantizeSinks& sinks_;
  const QatPlanSink& on_plan_;
  TrainingLoop loop_;
  std::optional<ModelSource> teacher_source_;
  GridTraining training_;
  QatPlan plan_;
};

}  // namespace

QatResult qat(const std::filesystem::path& model, const std::filesystem::path& output,
              const QatOptions& options, const QuantizeSinks& sinks, bool dry_run,
              const QatPlanSink& on_plan) {
  LoopOptions loop = options;
  if (loop.learning_rate == 0) loop.learning_rate = kRateOfTwoBits;
  check_loop(loop);
  if (options.data.empty() && !options.validation.empty())
    throw Error(
        ErrorKind::kInvalidArgument,
        "--val-data would not be read: the calibration's windows are learnt, and the last of "
        "them are held out",
        "give --data FILE as well");
  QuantizeOptions quantize = options.quantize;
  // One text serves both.
  if (quantize.calibration.sources.empty() && quantize.statistics.empty() &&
      !options.data.empty() && methods::named(quantize.method).needs == Needs::kHessian) {
    if (options.data == "-")
      throw Error(ErrorKind::kInvalidArgument,
                  cat("--data - is read once, and ", quantize.method, " needs a text, too"),
                  "give --calib FILE, or --data the name of a file");
    quantize.calibration.sources = {{options.data, 1}};
  }
  quantize.resume = options.resume;
  Training training(output, options, sinks, on_plan);
  const Refinement refinement = training.refinement(model);
  QatResult result;
  result.quantized = quantize_model(model, output, quantize, sinks, dry_run, &refinement);
  if (!dry_run) training.forget_journal();
  static_cast<LoopResult&>(result) = training.loop().result();
  result.plan = training.plan();
  return result;
}

}  // namespace nibble
