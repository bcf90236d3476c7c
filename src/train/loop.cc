#include "train/loop.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "model/open_tokenizer.h"
#include "nibble/error.h"

namespace nibble {
namespace {

using Clock = std::chrono::steady_clock;

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

double rounded(double loss) { return std::round(loss * 1e4) / 1e4; }

std::vector<Json> logged(std::string_view text) {
  std::vector<Json> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1);
    lines.push_back(parse_json(text.substr(0, end)));
    text.remove_prefix(end + 1);
  }
  return lines;
}

}  // namespace

void check_loop(const LoopOptions& options) {
  const auto refuse = [](const std::string& what, std::string_view fix) {
    throw Error(ErrorKind::kInvalidArgument, what, fix);
  };
  if (options.compute == Compute::kLlmInt8)
    refuse("--compute llm.int8 is not for training", "use f32, bf16 or int8");
  if (options.batch == 0) refuse("--batch-size 0 learns nothing", "give 1 or more");
  if (!(options.epochs > 0) && options.steps == 0)
    refuse("--epochs must be above 0", "give epochs or --steps");
  if (!(options.learning_rate > 0)) refuse("--learning-rate must be above 0", "2e-4 is usual");
  if (options.validation_share < 0 || options.validation_share >= 1)
    refuse("--val-share is a share of the samples, from 0 to below 1", "0.05 is usual");
  if (options.schedule != "cosine" && options.schedule != "linear" &&
      options.schedule != "constant")
    refuse(cat("--schedule ", options.schedule, " is not known"), "cosine, linear or constant");
}

double learning_rate_at(const LoopOptions& options, std::size_t step, std::size_t steps) {
  const double all = static_cast<double>(steps), warm = std::ceil(options.warmup * all);
  const auto now = static_cast<double>(step);
  if (now <= warm) return options.learning_rate * now / warm;
  if (options.schedule == "constant") return options.learning_rate;
  const double passed = (now - warm) / std::max(1.0, all - warm + 1);  // below 1 at the last step
  const double left = options.schedule == "linear" ? 1 - passed : (1 + std::cos(kPi * passed)) / 2;
  return options.learning_rate * left;
}

void TrainingLoop::read(const ModelSource& source) {
  const auto tokenizer = open_tokenizer(source.path());
  const std::size_t context = source.hyper().context;
  length_ = options_.length == 0 ? std::min<std::size_t>(512, context) : options_.length;
  if (length_ < 2 || length_ > context)
    throw Error(ErrorKind::kInvalidArgument,
                cat("--seq-len ", length_, ": the model reads 2 to ", context, " tokens"),
                "give a number of these");
  const auto read = [&](const std::filesystem::path& path, const char* name) {
    SampleFile file = read_samples(path, source, *tokenizer, length_);
    for (const std::string& note : file.notes) tell(cat(path.string(), ": ", note));
    hashes_[name] = file.hash;
    return std::move(file.samples);
  };
  samples_ = read(options_.data, "data");
  if (!options_.validation.empty())
    held_out_ = read(options_.validation, "validation");
  else
    hold_out();
  make_plan();
}

void TrainingLoop::take(std::vector<Sample> samples, std::size_t length, std::string hash) {
  samples_ = std::move(samples);
  length_ = length;
  hashes_ = {{"data", std::move(hash)}};
  hold_out();
  make_plan();
}

void TrainingLoop::hold_out() {
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

void TrainingLoop::make_plan() {
  plan_.samples = samples_.size();
  plan_.validation_samples = held_out_.size();
  const std::size_t once = pack_in_order(samples_, length_).size();
  batch_ = std::min(options_.batch, once);  // a step learns a sample once
  const auto all = std::max<std::size_t>(
      1, options_.steps > 0
             ? options_.steps * batch_
             : static_cast<std::size_t>(std::llround(static_cast<double>(once) * options_.epochs)));
  // Packs of other epochs may be a few less.
  packs_ = pack_epochs(samples_, length_, all / once + 2, options_.seed);
  for (std::size_t epochs = 2 * (all / once + 2); packs_.size() < all; epochs *= 2)
    packs_ = pack_epochs(samples_, length_, epochs, options_.seed);
  packs_.resize(all);
  plan_.steps = (all + batch_ - 1) / batch_;
  for (const Pack& pack : packs_) {
    plan_.learnt_tokens += trained_tokens(samples_, pack);
    for (const std::size_t s : pack) plan_.tokens += samples_[s].ids.size();
  }
}

Json TrainingLoop::identity() const {
  return {{"samples", hashes_},
          {"seed", options_.seed},
          {"seq_len", length_},
          {"batch", batch_},
          {"packs", packs_.size()},
          {"steps", plan_.steps},
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

std::size_t TrainingLoop::validate_every() const {
  if (options_.validate_every > 0) return options_.validate_every;
  return std::max<std::size_t>(1, plan_.steps / 10);
}

void TrainingLoop::take_log(std::string_view lines, std::size_t best_step) {
  for (const Json& line : logged(lines)) {
    if (line.contains("loss")) losses_.push_back(line["loss"].get<double>());
    if (!line.contains("validation_loss")) continue;
    const double loss = line["validation_loss"].get<double>();
    if (line["step"] == 0) result_.validation_before = loss;
    result_.validation = loss;
    result_.validation_best = std::min(loss, result_.validation_best.value_or(loss));
  }
  result_.steps = result_.resumed_steps = losses_.size();
  result_.best_step = best_step;
  set_loss();
}

// The mean of the last tenth of the steps.
void TrainingLoop::set_loss() {
  if (losses_.empty()) return;
  const std::size_t count = std::max<std::size_t>(1, losses_.size() / 10);
  result_.loss = 0;
  for (std::size_t i = losses_.size() - count; i < losses_.size(); ++i)
    result_.loss += losses_[i] / static_cast<double>(count);
}

// What makes things worse is written as well, but not without a word.
void TrainingLoop::warn_of_rise() const {
  const auto written = options_.patience > 0 ? result_.validation_best : result_.validation;
  constexpr const char* kFix = "; a lower --learning-rate or more data may help";
  if (result_.validation_before && written && *written > *result_.validation_before)
    return tell(cat("warning: the held-out loss rose from ", rounded(*result_.validation_before),
                    " to ", rounded(*written), kFix));
  if (!result_.validation_before && losses_.size() > 1 && result_.loss > losses_.front())
    tell(cat("warning: the loss rose from ", rounded(losses_.front()), " to ",
             rounded(result_.loss), kFix));
}

// values, mean and square of each parameter, then the best values where they are kept.
std::vector<std::span<std::byte>> TrainingLoop::state_parts() {
  std::vector<std::span<std::byte>> parts;
  for (Parameter& p : trainee_->parameters())
    for (const std::span<float> values : {p.values, std::span(p.mean), std::span(p.square)})
      parts.push_back(std::as_writable_bytes(values));
  for (std::vector<float>& values : best_)
    parts.push_back(std::as_writable_bytes(std::span(values)));
  return parts;
}

void TrainingLoop::restore() {
  const Json& state = journal_->state();
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
  step_ = kept_step_ = result_.resumed_steps = state["step"].get<std::size_t>();
  if (!state["validation_before"].is_null())
    result_.validation_before = state["validation_before"].get<double>();
  if (!state["validation"].is_null()) result_.validation = state["validation"].get<double>();
  if (!state["best"].is_null()) result_.validation_best = state["best"].get<double>();
  result_.best_step = state["best_step"].get<std::size_t>();
  validated_step_ = state["validated_step"].get<std::size_t>();
  ended_ = state["ended"].get<bool>();
  journal_->replay([&](std::string_view, std::span<const std::byte> bytes) {
    log_lines_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  });
  for (const Json& line : logged(log_lines_))
    if (line.contains("loss")) losses_.push_back(line["loss"].get<double>());
  trainee_->refresh();
}

void TrainingLoop::keep() {
  const auto number = [](const std::optional<double>& value) {
    return value ? Json(*value) : Json(nullptr);
  };
  const Json state = {{"step", step_},
                      {"validation_before", number(result_.validation_before)},
                      {"validation", number(result_.validation)},
                      {"best", number(result_.validation_best)},
                      {"best_step", result_.best_step},
                      {"best_kept", !best_.empty()},
                      {"validated_step", validated_step_},
                      {"ended", ended_}};
  std::vector<std::span<const std::byte>> blobs;
  for (const auto& part : state_parts()) blobs.emplace_back(part);
  const std::string before = journal_->note();
  journal_->keep(state, blobs);
  if (journal_->note() != before) tell(journal_->note());
  kept_step_ = step_;
}

void TrainingLoop::record(const Json& line) {
  const std::string text = line.dump() + "\n";
  log_lines_ += text;
  journal_->add("log", std::as_bytes(std::span(text)));
}

double TrainingLoop::validation_loss() const {
  Loss total;
  for (const Pack& pack : pack_in_order(held_out_, length_)) {
    throw_if_stopped();
    const Loss loss = model_->loss(batch_of(held_out_, pack), options_.compute, teacher_);
    total.sum += loss.sum;
    total.tokens += loss.tokens;
  }
  return total.mean();
}

void TrainingLoop::keep_best() {
  best_.clear();
  for (const Parameter& p : trainee_->parameters())
    best_.emplace_back(p.values.begin(), p.values.end());
}

// Answers whether training goes on.
bool TrainingLoop::validate() {
  const double loss = validation_loss();
  result_.validation = loss;
  validated_step_ = step_;
  record({{"step", step_}, {"validation_loss", loss}});
  if (!result_.validation_best || loss < *result_.validation_best) {
    result_.validation_best = loss;
    result_.best_step = step_;
    if (options_.patience > 0) keep_best();
  }
  if (options_.patience == 0) return true;
  return step_ - result_.best_step < options_.patience * validate_every();
}

void TrainingLoop::run(TrainingModel& model, Trainee& trainee, Journal& journal,
                       const Teacher* teacher) {
  model_ = &model;
  trainee_ = &trainee;
  journal_ = &journal;
  teacher_ = teacher;
  const std::string place = journal.folder().string();
  if (!journal.state().is_null()) with_context(place, [&] { restore(); });
  if (step_ > 0) tell(cat("going on after step ", step_, " of ", plan_.steps, ", from ", place));
  if (step_ == 0 && !held_out_.empty() && !result_.validation_before) {
    report("measuring the held-out samples");
    result_.validation_before = validation_loss();
    record({{"step", 0}, {"validation_loss", *result_.validation_before}});
  }
  try {
    all_steps();
  } catch (const Error& error) {
    // What a signal stops loses nothing; after a crash what was kept last is there.
    if (error.kind() == ErrorKind::kInterrupted && step_ > kept_step_) keep();
    if (kept_step_ > 0)
      tell(cat("kept: ", kept_step_, " of ", plan_.steps,
               " steps; the same command goes on from there"));
    throw;
  }
  if (ended_ && step_ < plan_.steps)
    tell(cat("the held-out loss did not fall for ", options_.patience,
             " measurements; training ends after step ", step_, " of ", plan_.steps));
  report("");
  result_.steps = step_;
  set_loss();
  warn_of_rise();
  if (best_.empty()) {
    result_.best_step = step_;
    return;
  }
  for (std::size_t i = 0; i < best_.size(); ++i)
    std::copy(best_[i].begin(), best_[i].end(), trainee.parameters()[i].values.begin());
  trainee.refresh();
}

bool TrainingLoop::validation_is_due() const {
  if (held_out_.empty() || step_ == 0 || validated_step_ == step_) return false;
  return step_ == plan_.steps || step_ % validate_every() == 0;
}

void TrainingLoop::all_steps() {
  for (;;) {
    if (validation_is_due()) ended_ = !validate();
    // Every run gets at least one step further.
    const bool first = step_ == result_.resumed_steps + 1;
    if (step_ > kept_step_ && (first || journal_->due())) keep();
    if (step_ == plan_.steps || ended_) return;
    const auto begun = Clock::now();
    one_step();
    result_.seconds += std::chrono::duration<double>(Clock::now() - begun).count();
    report(cat("step ", step_, ", loss ", rounded(losses_.back()), ", ",
               std::round(10 * static_cast<double>(result_.tokens) / result_.seconds) / 10,
               " tokens/s"));
  }
}

void TrainingLoop::one_step() {
  throw_if_stopped();
  const std::size_t first = step_ * batch_;
  const std::span<const Pack> packs(packs_.data() + first, std::min(batch_, packs_.size() - first));
  const std::span<Parameter> parameters = trainee_->parameters();
  std::size_t learnt = 0;
  for (const Pack& pack : packs) learnt += trained_tokens(samples_, pack);
  clear_gradients(parameters);
  double sum = 0;
  for (const Pack& pack : packs) {
    const TrainingBatch batch = batch_of(samples_, pack);
    // Of all that the step learns, whatever the packs are: each token counts alike.
    sum += model_
               ->gradient(batch, 1.0f / static_cast<float>(learnt), trainee_->gradients(),
                          options_.compute, teacher_)
               .sum;
    result_.tokens += batch.ids.size();
  }
  const double loss = sum / static_cast<double>(learnt);
  const double norm = gradient_norm(parameters);
  if (!std::isfinite(loss) || !std::isfinite(norm)) refuse_not_finite(loss);
  if (options_.clip > 0 && norm > options_.clip) scale_gradients(parameters, options_.clip / norm);
  ++step_;
  const double rate = learning_rate_at(options_, step_, plan_.steps);
  adamw_step(parameters, options_.adamw, rate, step_);
  trainee_->refresh();
  losses_.push_back(loss);
  record({{"step", step_},
          {"loss", loss},
          {"learning_rate", rate},
          {"gradient_norm", norm},
          {"learnt_tokens", learnt}});
}

void TrainingLoop::refuse_not_finite(double loss) const {
  std::string where;
  for (const Parameter& p : trainee_->parameters())
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

void TrainingLoop::report(const std::string& label) const {
  if (!progress_) return;
  const auto total = static_cast<double>(plan_.steps);
  progress_({"Training", label, label.empty() ? total : static_cast<double>(step_), total});
}

}  // namespace nibble
