#include "train/finetune.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/journal.h"
#include "base/memory.h"
#include "base/text.h"
#include "checkpoint/output_folder.h"
#include "kernels/kernels.h"
#include "model/adapter/adapter_writer.h"
#include "model/open_tokenizer.h"
#include "nibble/error.h"
#include "quantize/passport.h"
#include "quantize/resumable.h"
#include "train/batches.h"
#include "train/footprint.h"
#include "train/packed_base.h"

namespace nibble {
namespace {

constexpr const char* kAdapterConfig = "adapter_config.json";
constexpr std::uint64_t kMostLogBytes = 1u << 30;
constexpr double kPi = 3.14159265358979323846;

std::string_view name_of(Compute compute) {
  switch (compute) {
    case Compute::kBfloat16:
      return "bf16";
    case Compute::kInt8:
      return "int8";
    default:
      return "f32";
  }
}

void check_options(const FinetuneOptions& options) {
  const auto refuse = [](const std::string& what, std::string_view fix) {
    throw Error(ErrorKind::kInvalidArgument, what, fix);
  };
  if (options.lora.rank == 0) refuse("--rank 0 trains nothing", "give a rank, for example 16");
  if (options.compute == Compute::kLlmInt8)
    refuse("--compute llm.int8 is not for training", "use f32, bf16 or int8");
  if (options.batch == 0) refuse("--batch-size 0 learns nothing", "give 1 or more");
  if (!(options.epochs > 0) && options.steps == 0)
    refuse("--epochs must be above 0", "give epochs or --steps");
  if (!(options.learning_rate > 0)) refuse("--learning-rate must be above 0", "2e-4 is usual");
  if (options.validation_share < 0 || options.validation_share >= 1)
    refuse("--val-share is a share of the samples, from 0 to below 1", "0.05 is usual");
  check_targets(options.lora);
  if (!options.base.empty()) packed_bits(options.base, options.compute);  // throws for others
  if (options.schedule != "cosine" && options.schedule != "linear" &&
      options.schedule != "constant")
    refuse(cat("--schedule ", options.schedule, " is not known"), "cosine, linear or constant");
}

class Finetuning {
 public:
  Finetuning(const std::filesystem::path& model, const std::filesystem::path& output,
             const FinetuneOptions& options, const ProgressSink& progress, const LogSink& log)
      : source_(model), output_(output), options_(options), progress_(progress), log_(log) {}

  FinetuneResult run(const PlanSink& on_plan) {
    check_options(options_);
    for (const std::string& note : source_.notes()) tell(note);
    const bool finished =
        options_.take_finished && std::filesystem::exists(output_ / kPassportName);
    std::optional<OutputFolder> folder;
    if (!finished) claim(folder);  // before anything long
    read_data();
    make_plan();
    if (finished) {
      job_ = identity();
      if (take_finished()) return std::move(result_);
      claim(folder);
    }
    if (on_plan) on_plan(result_.plan);
    model_.emplace(source_);
    if (!options_.base.empty())
      pack_base(*model_, source_, options_.base, options_.compute, progress_);
    model_->prepare(options_.compute);
    lora_.emplace(source_, *model_, options_.lora);
    open_journal();
    train();
    write(*folder);
    journal_->remove();
    return std::move(result_);
  }

 private:
  using Clock = std::chrono::steady_clock;

  void tell(const std::string& line) const {
    if (log_ && !line.empty()) log_(line);
  }

  void read_data() {
    const auto tokenizer = open_tokenizer(source_.path());
    const std::size_t context = source_.hyper().context;
    length_ = options_.length == 0 ? std::min<std::size_t>(512, context) : options_.length;
    if (length_ < 2 || length_ > context)
      throw Error(ErrorKind::kInvalidArgument,
                  cat("--seq-len ", length_, ": the model reads 2 to ", context, " tokens"),
                  "give a number of these");
    SampleFile file = read_samples(options_.data, source_, *tokenizer, length_);
    for (const std::string& note : file.notes) tell(cat(options_.data.string(), ": ", note));
    hashes_ = {{"data", file.hash}};
    samples_ = std::move(file.samples);
    if (!options_.validation.empty()) {
      SampleFile other = read_samples(options_.validation, source_, *tokenizer, length_);
      for (const std::string& note : other.notes)
        tell(cat(options_.validation.string(), ": ", note));
      hashes_["validation"] = other.hash;
      held_out_ = std::move(other.samples);
      return;
    }
    auto count = static_cast<std::size_t>(
        std::floor(options_.validation_share * static_cast<double>(samples_.size())));
    if (options_.patience > 0 && options_.validation_share > 0 && samples_.size() > 1)
      count = std::max<std::size_t>(1, count);
    if (options_.patience > 0 && count == 0)
      throw Error(ErrorKind::kInvalidArgument,
                  "--patience waits for the held-out loss, and nothing is held out",
                  "give --val-data FILE, or --val-share 0.05 and more rows");
    const auto first = samples_.end() - static_cast<std::ptrdiff_t>(count);
    held_out_.assign(std::make_move_iterator(first), std::make_move_iterator(samples_.end()));
    samples_.erase(first, samples_.end());
  }

  void make_plan() {
    FinetunePlan& plan = result_.plan;
    plan.samples = samples_.size();
    plan.validation_samples = held_out_.size();
    const std::size_t once = pack_in_order(samples_, length_).size();
    batch_ = std::min(options_.batch, once);  // a step learns a sample once
    const auto all = std::max<std::size_t>(
        1, options_.steps > 0 ? options_.steps * batch_
                              : static_cast<std::size_t>(
                                    std::llround(static_cast<double>(once) * options_.epochs)));
    // Packs of other epochs may be a few less.
    packs_ = pack_epochs(samples_, length_, all / once + 2, options_.lora.seed);
    for (std::size_t epochs = 2 * (all / once + 2); packs_.size() < all; epochs *= 2)
      packs_ = pack_epochs(samples_, length_, epochs, options_.lora.seed);
    packs_.resize(all);
    plan.steps = (all + batch_ - 1) / batch_;
    for (const Pack& pack : packs_) {
      plan.learnt_tokens += trained_tokens(samples_, pack);
      for (const std::size_t s : pack) plan.tokens += samples_[s].ids.size();
    }
    Footprint footprint =
        training_footprint(source_, options_.lora, options_.base, length_, options_.compute);
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
  }

  Json identity() const {
    const LoraOptions& lora = options_.lora;
    return {{"job", "finetune"},
            {"version", NIBBLE_VERSION},
            {"instruction_set", kernels().name},
            {"base_files", hash_files(model_files(source_))},
            {"samples", hashes_},
            {"rank", lora.rank},
            {"alpha", lora.alpha},
            {"rslora", lora.rank_stabilized},
            {"dora", lora.magnitude},
            {"targets", lora.targets},
            {"seed", lora.seed},
            {"base", options_.base},
            {"seq_len", length_},
            {"batch", batch_},
            {"packs", packs_.size()},
            {"steps", result_.plan.steps},
            {"val_share", options_.validation.empty() ? options_.validation_share : 0},
            {"learning_rate", options_.learning_rate},
            {"warmup", options_.warmup},
            {"schedule", options_.schedule},
            {"clip", options_.clip},
            {"beta1", options_.adamw.beta1},
            {"beta2", options_.adamw.beta2},
            {"epsilon", options_.adamw.epsilon},
            {"weight_decay", options_.adamw.weight_decay},
            {"validate_every", validate_every()},
            {"patience", options_.patience},
            {"compute", name_of(options_.compute)}};
  }

  std::size_t validate_every() const {
    if (options_.validate_every > 0) return options_.validate_every;
    return std::max<std::size_t>(1, result_.plan.steps / 10);
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
    for (const Json& line : logged(read_file(output_ / "log.jsonl", kMostLogBytes))) {
      if (line.contains("loss")) losses_.push_back(line["loss"].get<double>());
      if (!line.contains("validation_loss")) continue;
      const double loss = line["validation_loss"].get<double>();
      if (line["step"] == 0) result_.validation_before = loss;
      result_.validation = loss;
      result_.validation_best = std::min(loss, result_.validation_best.value_or(loss));
    }
    result_.steps = result_.resumed_steps = losses_.size();
    result_.best_step = written.get<std::size_t>();
    set_loss();
    tell(cat(output_.string(), " is there already, from the same job"));
    return true;
  }

  static std::vector<Json> logged(std::string_view text) {
    std::vector<Json> lines;
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size() - 1);
      lines.push_back(parse_json(text.substr(0, end)));
      text.remove_prefix(end + 1);
    }
    return lines;
  }

  // The mean of the last tenth of the steps.
  void set_loss() {
    if (losses_.empty()) return;
    const std::size_t count = std::max<std::size_t>(1, losses_.size() / 10);
    result_.loss = 0;
    for (std::size_t i = losses_.size() - count; i < losses_.size(); ++i)
      result_.loss += losses_[i] / static_cast<double>(count);
  }

  // An adapter that makes things worse is written as well, but not without a word.
  void warn_of_rise() const {
    const auto written = options_.patience > 0 ? result_.validation_best : result_.validation;
    constexpr const char* kFix = "; a lower --learning-rate or more data may help";
    if (result_.validation_before && written && *written > *result_.validation_before)
      return tell(cat("warning: the held-out loss rose from ", rounded(*result_.validation_before),
                      " to ", rounded(*written), kFix));
    if (!result_.validation_before && losses_.size() > 1 && result_.loss > losses_.front())
      tell(cat("warning: the loss rose from ", rounded(losses_.front()), " to ",
               rounded(result_.loss), kFix));
  }
  static double rounded(double loss) { return std::round(loss * 1e4) / 1e4; }

  void open_journal() {
    const auto place = journal_place(output_);
    if (job_.is_null()) job_ = identity();
    journal_.emplace(place, job_, options_.resume);
    tell(journal_->note());
    if (journal_->state().is_null()) return;
    with_context(place.string(), [&] { restore(journal_->state()); });
    tell(cat("going on after step ", step_, " of ", result_.plan.steps, ", from ", place.string()));
  }

  // values, mean and square of each parameter, then the best values where they are kept.
  std::vector<std::span<std::byte>> state_parts() {
    std::vector<std::span<std::byte>> parts;
    for (Parameter& p : lora_->parameters())
      for (const std::span<float> values : {p.values, std::span(p.mean), std::span(p.square)})
        parts.push_back(std::as_writable_bytes(values));
    for (std::vector<float>& values : best_)
      parts.push_back(std::as_writable_bytes(std::span(values)));
    return parts;
  }

  void restore(const Json& state) {
    if (state["best_kept"].get<bool>()) keep_best();
    const auto parts = state_parts();
    const auto blobs = journal_->blobs();
    if (parts.size() != blobs.size())
      throw Error(ErrorKind::kCorruptFile, "the state has another number of parameters");
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].size() != blobs[i].size())
        throw Error(ErrorKind::kCorruptFile, "the state has parameters of another size");
      std::memcpy(parts[i].data(), blobs[i].data(), parts[i].size());
    }
    step_ = result_.resumed_steps = state["step"].get<std::size_t>();
    if (!state["validation_before"].is_null())
      result_.validation_before = state["validation_before"].get<double>();
    if (!state["validation"].is_null()) result_.validation = state["validation"].get<double>();
    if (!state["best"].is_null()) result_.validation_best = state["best"].get<double>();
    result_.best_step = state["best_step"].get<std::size_t>();
    ended_ = state["ended"].get<bool>();
    journal_->replay([&](std::string_view, std::span<const std::byte> bytes) {
      log_lines_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    });
    for (const Json& line : logged(log_lines_))
      if (line.contains("loss")) losses_.push_back(line["loss"].get<double>());
    lora_->refresh();
  }

  void keep() {
    const auto number = [](const std::optional<double>& value) {
      return value ? Json(*value) : Json(nullptr);
    };
    const Json state = {{"step", step_},
                        {"validation_before", number(result_.validation_before)},
                        {"validation", number(result_.validation)},
                        {"best", number(result_.validation_best)},
                        {"best_step", result_.best_step},
                        {"best_kept", !best_.empty()},
                        {"ended", ended_}};
    std::vector<std::span<const std::byte>> blobs;
    for (const auto& part : state_parts()) blobs.emplace_back(part);
    const std::string before = journal_->note();
    journal_->keep(state, blobs);
    if (journal_->note() != before) tell(journal_->note());
  }

  void record(const Json& line) {
    const std::string text = line.dump() + "\n";
    log_lines_ += text;
    journal_->add("log", std::as_bytes(std::span(text)));
  }

  double validation_loss() const {
    Loss total;
    for (const Pack& pack : pack_in_order(held_out_, length_)) {
      throw_if_stopped();
      const Loss loss = model_->loss(batch_of(held_out_, pack), options_.compute);
      total.sum += loss.sum;
      total.tokens += loss.tokens;
    }
    return total.mean();
  }

  void keep_best() {
    best_.clear();
    for (const Parameter& p : lora_->parameters())
      best_.emplace_back(p.values.begin(), p.values.end());
  }

  // Answers whether training goes on.
  bool validate() {
    const double loss = validation_loss();
    result_.validation = loss;
    record({{"step", step_}, {"validation_loss", loss}});
    if (!result_.validation_best || loss < *result_.validation_best) {
      result_.validation_best = loss;
      result_.best_step = step_;
      if (options_.patience > 0) keep_best();
    }
    if (options_.patience == 0) return true;
    return step_ - result_.best_step < options_.patience * validate_every();
  }

  void train() {
    if (step_ == 0 && !held_out_.empty() && !result_.validation_before) {
      report("measuring the held-out samples");
      result_.validation_before = validation_loss();
      record({{"step", 0}, {"validation_loss", *result_.validation_before}});
    }
    while (step_ < result_.plan.steps && !ended_) {
      const auto begun = Clock::now();
      one_step();
      result_.seconds += std::chrono::duration<double>(Clock::now() - begun).count();
      report(cat("step ", step_, ", loss ", rounded(losses_.back()), ", ",
                 std::round(10 * static_cast<double>(result_.tokens) / result_.seconds) / 10,
                 " tokens/s"));
      const bool last = step_ == result_.plan.steps;
      if (!held_out_.empty() && (last || step_ % validate_every() == 0)) ended_ = !validate();
      if (step_ == result_.resumed_steps + 1 || journal_->due()) keep();
    }
    if (ended_ && step_ < result_.plan.steps)
      tell(cat("the held-out loss did not fall for ", options_.patience,
               " measurements; training ends after step ", step_, " of ", result_.plan.steps));
    report("");
    result_.steps = step_;
    set_loss();
    warn_of_rise();
  }

  void one_step() {
    throw_if_stopped();
    const std::size_t first = step_ * batch_;
    const std::span<const Pack> packs(packs_.data() + first,
                                      std::min(batch_, packs_.size() - first));
    std::size_t learnt = 0;
    for (const Pack& pack : packs) learnt += trained_tokens(samples_, pack);
    clear_gradients(lora_->parameters());
    double sum = 0;
    for (const Pack& pack : packs) {
      const TrainingBatch batch = batch_of(samples_, pack);
      // Of all that the step learns, whatever the packs are: each token counts alike.
      sum += model_
                 ->gradient(batch, 1.0f / static_cast<float>(learnt), lora_->gradients(),
                            options_.compute)
                 .sum;
      result_.tokens += batch.ids.size();
    }
    const double loss = sum / static_cast<double>(learnt);
    const double norm = gradient_norm(lora_->parameters());
    if (!std::isfinite(loss) || !std::isfinite(norm)) refuse_not_finite(loss);
    if (options_.clip > 0 && norm > options_.clip)
      scale_gradients(lora_->parameters(), options_.clip / norm);
    ++step_;
    const double rate = learning_rate_at(options_, step_, result_.plan.steps);
    adamw_step(lora_->parameters(), options_.adamw, rate, step_);
    lora_->refresh();
    losses_.push_back(loss);
    record({{"step", step_},
            {"loss", loss},
            {"learning_rate", rate},
            {"gradient_norm", norm},
            {"learnt_tokens", learnt}});
  }

  [[noreturn]] void refuse_not_finite(double loss) {
    std::string where;
    for (const Parameter& p : lora_->parameters())
      if (std::any_of(p.gradient.begin(), p.gradient.end(),
                      [](float g) { return !std::isfinite(g); })) {
        where = p.name;
        break;
      }
    throw Error(ErrorKind::kNumeric,
                cat("step ", step_ + 1, ": ", std::isfinite(loss) ? "a gradient" : "the loss",
                    " is not finite", where.empty() ? "" : cat(", first in ", where)),
                "lower --learning-rate, clip gradients (--clip 0.3), or compute in f32");
  }

  void report(const std::string& label) const {
    if (!progress_) return;
    const auto total = static_cast<double>(result_.plan.steps);
    progress_({"Training", label, label.empty() ? total : static_cast<double>(step_), total});
  }

  void write(OutputFolder& folder) {
    if (!best_.empty())
      for (std::size_t i = 0; i < best_.size(); ++i)
        std::copy(best_[i].begin(), best_[i].end(), lora_->parameters()[i].values.begin());
    else
      result_.best_step = step_;
    write_adapter(folder.folder(), lora_->adapter(),
                  {.base_model = options_.base_name,
                   .alpha = options_.lora.alpha,
                   .rank_stabilized = options_.lora.rank_stabilized});
    folder.write_text("log.jsonl", log_lines_);
    job_["written_step"] = result_.best_step;
    folder.write_text(std::string(kPassportName), job_.dump(2) + "\n");
    folder.finish();
  }

  ModelSource source_;
  std::filesystem::path output_;
  FinetuneOptions options_;
  const ProgressSink& progress_;
  const LogSink& log_;
  std::size_t length_ = 0, batch_ = 0, step_ = 0;
  bool ended_ = false;
  Json hashes_, job_;
  std::vector<Sample> samples_, held_out_;
  std::vector<Pack> packs_;
  std::optional<TrainingModel> model_;
  std::optional<LoraLayers> lora_;
  std::optional<Journal> journal_;
  std::vector<std::vector<float>> best_;
  std::vector<double> losses_;  // of all steps
  std::string log_lines_;
  FinetuneResult result_;
};

}  // namespace

double learning_rate_at(const FinetuneOptions& options, std::size_t step, std::size_t steps) {
  const double all = static_cast<double>(steps), warm = std::ceil(options.warmup * all);
  const auto now = static_cast<double>(step);
  if (now <= warm) return options.learning_rate * now / warm;
  if (options.schedule == "constant") return options.learning_rate;
  const double passed = (now - warm) / std::max(1.0, all - warm + 1);  // below 1 at the last step
  const double left = options.schedule == "linear" ? 1 - passed : (1 + std::cos(kPi * passed)) / 2;
  return options.learning_rate * left;
}

FinetuneResult finetune(const std::filesystem::path& model, const std::filesystem::path& output,
                        const FinetuneOptions& options, const ProgressSink& progress,
                        const LogSink& log, const PlanSink& on_plan) {
  return Finetuning(model, output, options, progress, log).run(on_plan);
}

}  // namespace nibble
