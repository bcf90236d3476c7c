// The options of `nibble quantize`.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/recipe_string.h"
#include "quantize/recipe.h"

namespace nibble::cli {

// What is typed, before it is checked.
struct QuantizeFlags {
  std::optional<std::string> recipe;  // recipe_string.h; stands for the options it names
  std::vector<std::string> transforms;
  std::string method;       // empty: the usual one
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
  std::string imatrix;
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

// What --recipe says, with the places of what no option said beside it.
RecipeString said_by_recipe(const QuantizeFlags& flags);

// Throws kInvalidArgument naming the option, the value and what is known.
QuantizeOptions options_of(const QuantizeFlags& flags, std::uint64_t seed);

}  // namespace nibble::cli
