// Trains a low-rank adapter on a frozen model, which may be packed: LoRA, QLoRA, DoRA.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/progress.h"
#include "train/loop.h"
#include "train/lora_layers.h"

namespace nibble {

struct FinetuneOptions : LoopOptions {
  LoraOptions lora = {};
  std::string base_name = {};  // of the model, as PEFT shall find it
  std::string base = {};       // packed_base.h; empty: as the model is
  bool replace = false;        // an existing adapter
  bool take_finished = false;  // where OUT is the same job's already, tell what came of it
};

// What it will be, told before the first step.
struct FinetunePlan : LoopPlan {
  std::size_t trained_values = 0, base_values = 0;
  std::uint64_t memory = 0;  // beyond the mapped model
};

struct FinetuneResult : LoopResult {
  FinetunePlan plan;
};

using PlanSink = std::function<void(const FinetunePlan&)>;

// Writes a PEFT folder with log.jsonl and a passport. Of the adapters at validations the one with
// the lowest loss is kept where `patience` asks for it, else the last. Goes on from OUT.journal.
// Throws what ModelSource, read_samples, OutputFolder and Journal throw; kInvalidArgument for
// options that make no sense; kNumeric for a loss or gradient that is not finite.
FinetuneResult finetune(const std::filesystem::path& model, const std::filesystem::path& output,
                        const FinetuneOptions& options, const ProgressSink& progress,
                        const LogSink& log, const PlanSink& on_plan = {});

}  // namespace nibble
