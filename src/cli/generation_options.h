// The options of the commands that write text, declared once.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/command.h"
#include "model/generate.h"
#include "nibble/compute.h"
#include "session/generation_settings.h"
#include "session/running_model.h"

namespace nibble::cli {

struct GenerationFlags {
  std::int64_t tokens = 128;
  GenerationSettings settings;  // of the command line; which were given, the app knows
  std::vector<std::string> stop;
  std::string compute = "auto", kv = "auto";
  bool exact = false;
  std::string lora;  // folder; empty: none
};

// `flags` holds the defaults and must outlive `app`.
void declare(CLI::App& app, GenerationFlags& flags);

// `settings` (the model's own) with what the command line says in their place.
GenerationSettings settings_of(const GenerationFlags& flags, const CLI::App& app,
                               GenerationSettings settings);

Compute compute_of(const GenerationFlags& flags);

// `context`: of the model, what "-n -1" means.
GenerateOptions options_of(const GenerationFlags& flags, const GenerationSettings& settings,
                           std::size_t context, std::uint64_t seed);

// "; seed 7" where the text depends on it, else nothing.
std::string seed_text(const GenerationSettings& settings, const Global& global);

// What --json tells of a written text besides the text and the model.
Json json_of(const Written& written, const GenerationSettings& settings,
             const GenerateOptions& options);

}  // namespace nibble::cli
