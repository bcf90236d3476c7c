// What pretrain and distill share: options, the plan before, the lines after.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>

#include "base/json.h"
#include "cli/command.h"
#include "cli/training_options.h"
#include "train/full/full_training.h"

namespace nibble::cli {

struct FullFlags {
  std::string compute = "auto", dtype = "bf16";
  ResumeFlags resume;
  FullTrainingOptions asked;
};
void declare(CLI::App& app, FullFlags& flags);

// Trains and prints; `schema` is that of --json.
int train_and_tell(const std::filesystem::path& model, const std::string& output, FullFlags& flags,
                   const Global& global, const char* schema);

}  // namespace nibble::cli
