#include "cli/training_options.h"

#include <nlohmann/json.hpp>

#include "cli/number_check.h"

namespace nibble::cli {

void declare(CLI::App& app, LoopOptions& asked) {
  const auto add = [&](const char* names, auto& value, const char* help) {
    return app.add_option(names, value, help)->capture_default_str()->group(kTrainingGroup);
  };
  add("--epochs", asked.epochs, "How often each sample is learnt")->check(number_from(1e-6, 1e6));
  add("--steps", asked.steps, "Steps, whatever the epochs; 0: by the epochs")
      ->check(whole_number(0, 1 << 30));
  add("--batch-size", asked.batch, "Packs of --seq-len tokens learnt in a step")
      ->check(whole_number(1, 1 << 20));
  add("--learning-rate,--lr", asked.learning_rate, "The highest")->check(number_from(0, 1e30));
  add("--warmup", asked.warmup, "Share of the steps in which it rises")->check(number_from(0, 1));
  add("--schedule", asked.schedule, "How it falls then: cosine, linear or constant");
  add("--clip", asked.clip, "Longest gradient; 0: any")->check(number_from(0, 1e9));
  add("--weight-decay", asked.adamw.weight_decay, "Of AdamW")->check(number_from(0, 1));
  add("--beta2", asked.adamw.beta2, "Of AdamW: memory for squares")->check(number_from(0, 0.99999));
  add("--val-data", asked.validation, "Held-out rows or text; default: the end of --data");
  add("--val-share", asked.validation_share, "Share of --data that is held out")
      ->check(number_from(0, 0.99));
  add("--validate-every", asked.validate_every, "Steps between measurements; 0: a tenth of all")
      ->check(whole_number(0, 1 << 30));
  add("--patience", asked.patience,
      "End after so many measurements without a lower loss, and keep the best; 0: never")
      ->check(whole_number(0, 1 << 20));
}

void declare_length(CLI::App& app, LoopOptions& asked) {
  app.add_option("--seq-len", asked.length, "Tokens in a pack, and at most in a sample; 0: 512")
      ->check(whole_number(0, 1 << 24))
      ->capture_default_str()
      ->group(kTrainingGroup);
}

double tokens_per_second(const LoopResult& result) {
  return result.seconds > 0 ? static_cast<double>(result.tokens) / result.seconds : 0;
}

Json loop_json(const LoopResult& result) {
  const auto number = [](const std::optional<double>& value) {
    return value ? Json(*value) : Json(nullptr);
  };
  return {{"steps", result.steps},
          {"resumed_steps", result.resumed_steps},
          {"loss", result.loss},
          {"validation_loss_before", number(result.validation_before)},
          {"validation_loss", number(result.validation)},
          {"validation_loss_best", number(result.validation_best)},
          {"written_step", result.best_step},
          {"seconds", result.seconds},
          {"tokens_per_second", tokens_per_second(result)}};
}

void declare_resume(CLI::App& app, ResumeFlags& flags) {
  const auto resume =
      app.add_flag("--resume", flags.resume, "go on from OUT.journal, and refuse to begin anew");
  app.add_flag("--restart", flags.restart, "begin anew, whatever OUT.journal holds")
      ->excludes(resume);
}

Resume ResumeFlags::asked() const {
  return resume ? Resume::kRequired : restart ? Resume::kNever : Resume::kAuto;
}

}  // namespace nibble::cli
