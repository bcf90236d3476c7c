// The options that perplexity and compare share, and how their figures are written.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "cli/command.h"
#include "nibble/evaluate.h"

namespace nibble::cli {

struct MeasureFlags {
  std::string file;
  std::string protocol;  // empty: as MeasureOptions
  std::size_t windows = 0;
  std::size_t context = 0;
  std::string compute = "f32";
  bool resume = false, restart = false;
  std::string lora;  // folder; empty: none
};
void declare(CLI::App& app, MeasureFlags& flags);
// Progress and warnings go where `global` sends them, under the name of `job`.
MeasureOptions options_of(const MeasureFlags& flags, const Global& global, std::string_view job);

// "32,704 tokens in 64 windows of 512, gptq-512, test.txt (sha256 …)"
std::string scope_text(const Scope& scope, const std::string& file);
// protocol, context, windows, tokens, text, text_tokens, text_sha256
Json scope_json(const Scope& scope, const std::string& file);

}  // namespace nibble::cli
