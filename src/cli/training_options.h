// What every command that trains takes.
#pragma once

#include <CLI/CLI.hpp>

#include "base/json.h"
#include "train/loop.h"

namespace nibble::cli {

inline constexpr const char* kTrainingGroup = "Training";

// --epochs, --lr and what else the loop reads; not --data.
void declare(CLI::App& app, LoopOptions& asked);
// --seq-len.
void declare_length(CLI::App& app, LoopOptions& asked);

// What --json tells of every loop: steps, losses, seconds.
Json loop_json(const LoopResult& result);
double tokens_per_second(const LoopResult& result);

struct ResumeFlags {
  bool resume = false, restart = false;
  Resume asked() const;
};
// --resume and --restart.
void declare_resume(CLI::App& app, ResumeFlags& flags);

}  // namespace nibble::cli
