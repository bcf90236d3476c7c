// The one object that a command prints with --json. docs/cli.md lists the keys of each; a test
// compares.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/json.h"
#include "nibble/compute.h"

namespace nibble::cli {

// Prints `object` with "schema" in front, for example "nibble.perplexity/1", and "version", the
// program's. The number grows when a key changes its meaning or goes away; new keys come without a
// new number. On one line, unless stdout is a terminal: appended objects are JSON lines.
void print_json(std::string_view schema, const Json& object);

// What a figure means nothing without: model, instruction_set, threads; and compute, where one
// arithmetic made it.
Json run_json(const std::filesystem::path& model);
Json run_json(const std::filesystem::path& model, Compute compute);

}  // namespace nibble::cli
