// The options of `nibble quantize`, shared with the demo.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "quantize/recipe.h"

namespace nibble::cli {

// The columns of a group, 0 for the whole row: what follows "--group-size". Throws kInvalidArgument
// naming `option`.
std::size_t parse_group(const std::string& option, const std::string& text);

// What is typed, before it is checked.
struct QuantizeFlags {
  std::vector<std::string> transforms;
  std::string method = "gptq";
  std::optional<int> bits;  // short for the uniform grid of so many bits
  std::string grid;
  std::string group_size;
  std::optional<bool> asymmetric;
  std::map<std::string, std::string> settings;  // of methods and transforms, by their names
  std::string layout, dialect;
  bool mix = false, pure = false;
  std::string embedding_type, head_type;
  std::vector<std::string> tensor_types;  // REGEX=TYPE
  std::vector<std::string> skip;
  std::vector<std::string> overrides;    // REGEX=[method/]grid[:group]
  std::vector<std::string> calibration;  // FILE or FILE:weight
  std::string statistics;
  std::size_t samples = 128;
  std::size_t seq_len = 0;
  std::string compute = "auto";
  std::string memory;
  std::string max_shard = "5GB";
  std::string max_part;  // empty: one file
  bool allow_requantize = false;
  bool allow_nonfinite = false;
  bool force = false;
  bool resume = false, restart = false;
};

void declare(CLI::App& app, QuantizeFlags& flags);

// Throws kInvalidArgument naming the option, the value and what is known.
QuantizeOptions options_of(const QuantizeFlags& flags, std::uint64_t seed);

}  // namespace nibble::cli
