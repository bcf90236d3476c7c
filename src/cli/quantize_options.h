// The options of `nibble quantize`, shared with the demo.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "model/transformer.h"
#include "quantize/recipe.h"

namespace nibble::cli {

// What is typed, before it is checked.
struct QuantizeFlags {
  std::string method = "gptq";
  int bits = 4;
  std::string group_size;
  bool asymmetric = false;
  std::string grid;
  std::string scales = "weighted";
  std::string act_order = "static";
  double damping = 0.01;
  std::optional<double> drift_correction;
  std::optional<std::size_t> drift_samples;
  std::string format = "gptq";
  std::vector<std::string> skip;
  std::vector<std::string> overrides;    // REGEX=bits:group
  std::vector<std::string> calibration;  // FILE or FILE:weight
  std::size_t samples = 128;
  std::size_t seq_len = 0;
  std::string compute = "auto";
  std::string memory;
  std::string max_shard = "5GB";
  bool allow_nonfinite = false;
  bool force = false;
};

void declare(CLI::App& app, QuantizeFlags& flags);

// Throws kInvalidArgument naming the option, the value and what is known.
QuantizeOptions options_of(const QuantizeFlags& flags, std::uint64_t seed);

// "1500", "2GiB", "5GB", "512M" -> bytes.
std::uint64_t parse_size(const std::string& option, const std::string& text);

// "auto" (what the arithmetic wants), "f32", "f16", "bf16", "q8_0". Throws kInvalidArgument.
KvType parse_kv(const std::string& text, Compute compute);

// "auto" takes bfloat16 where the CPU multiplies it.
Compute parse_compute(const std::string& text);  // "auto": the faster float arithmetic
std::string_view name_of(Compute compute);

}  // namespace nibble::cli
