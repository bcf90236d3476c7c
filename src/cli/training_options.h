// What every command that trains takes.
#pragma once

#include <CLI/CLI.hpp>

#include "train/loop.h"

namespace nibble::cli {

inline constexpr const char* kTrainingGroup = "Training";

// --epochs, --lr and what else the loop reads; not --data.
void declare(CLI::App& app, LoopOptions& asked);
// --seq-len.
void declare_length(CLI::App& app, LoopOptions& asked);

struct ResumeFlags {
  bool resume = false, restart = false;
  Resume asked() const;
};
// --resume and --restart.
void declare_resume(CLI::App& app, ResumeFlags& flags);

}  // namespace nibble::cli
