// Trains a low-rank adapter on a frozen model, which may be packed: LoRA, QLoRA, DoRA.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "nibble/compute.h"
#include "nibble/resume.h"
#include "train/adamw.h"
#include "train/lora_layers.h"

namespace nibble {

struct FinetuneOptions {
  std::filesystem::path data;
  std::filesystem::path validation = {};  // empty: the last samples of the data
  double validation_share = 0.05;         // of the samples, where there is no file
  LoraOptions lora = {};
  std::string base_name = {};  // of the model, as PEFT shall find it
  std::string base = {};       // packed_base.h; empty: as the model is
  std::size_t length = 0;      // tokens in a pack, and at most in a sample; 0: min(512, context)
  std::size_t batch = 4;       // packs in a step, at most all there are
  double epochs = 1;
  std::size_t steps = 0;            // 0: as many as the epochs make
  double learning_rate = 2e-4;      // at its highest
  double warmup = 0.03;             // share of the steps in which it rises to that
  std::string schedule = "cosine";  // how it goes on: cosine or linear, to 0, or constant
  double clip = 1;                  // length that gradients have at most; 0: any
  AdamWOptions adamw = {};
  std::size_t validate_every = 0;  // steps; 0: a tenth of them
  std::size_t patience = 0;        // validations without a better loss after which it ends; 0: all
  Compute compute = Compute::kFloat32;
  bool replace = false;        // an existing adapter
  bool take_finished = false;  // where OUT is the same job's already, tell what came of it
  Resume resume = Resume::kAuto;
};

// What it will be, told before the first step.
struct FinetunePlan {
  std::size_t samples = 0, validation_samples = 0, steps = 0;
  std::size_t trained_values = 0, base_values = 0;
  std::size_t tokens = 0, learnt_tokens = 0;  // in all steps
  std::uint64_t memory = 0;                   // beyond the mapped model
};

struct FinetuneResult {
  FinetunePlan plan;
  std::size_t steps = 0, resumed_steps = 0;
  double loss = 0;  // mean over the last tenth of all steps
  std::optional<double> validation_before, validation, validation_best;
  std::size_t best_step = 0;  // whose adapter was written
  double seconds = 0;         // of the steps of this run
  std::size_t tokens = 0;     // gone through in them
};

using PlanSink = std::function<void(const FinetunePlan&)>;

// Writes a PEFT folder with log.jsonl and a passport. Of the adapters at validations the one with
// the lowest loss is kept where `patience` asks for it, else the last. Goes on from OUT.journal.
// Throws what ModelSource, read_samples, OutputFolder and Journal throw; kInvalidArgument for
// options that make no sense; kNumeric for a loss or gradient that is not finite.
FinetuneResult finetune(const std::filesystem::path& model, const std::filesystem::path& output,
                        const FinetuneOptions& options, const ProgressSink& progress,
                        const LogSink& log, const PlanSink& on_plan = {});

// The learning rate of the `step`-th of `steps` steps, from 1.
double learning_rate_at(const FinetuneOptions& options, std::size_t step, std::size_t steps);

}  // namespace nibble
