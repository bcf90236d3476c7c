// Makes a model small: a folder or GGUF file with float weights in, a quantized folder or file out,
// one decoder block in memory at a time.
//
//   nibble::QuantizeJob job;
//   job.grid = "int4";
//   job.calibration = {{"notes.txt"}};
//   const nibble::QuantizeOutcome made = nibble::quantize("MODEL", "OUT", job);
//
// Names and values are those of the command line: `nibble quantize --help`, `nibble methods` and
// `nibble formats` say what there is. A name that is not known, an option that the chosen method
// does not read and a calibration file that nobody reads are refused before any work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nibble/compute.h"
#include "nibble/resume.h"

namespace nibble {

// Text, JSON lines or token windows; recognised by content.
struct CalibrationFile {
  std::filesystem::path path;
  double weight = 1;  // share of the windows, relative to the other files
};

// For modules in whose full name the regular expression is found; what is empty stays as it is for
// the whole model.
struct ModuleRule {
  std::string pattern;
  std::string method = {}, grid = {};
  std::optional<std::size_t> group_size = {};  // 0: one group for each row
};

struct QuantizedModule {
  std::string name;  // "model.layers.0.mlp.up_proj"
  std::string method, grid;
  std::size_t group_size = 0;  // weights that share a scale; 0: the whole row
  double weight_error = 0;     // ‖W − Ŵ‖² / ‖W‖²
  std::optional<double> output_error;  // ‖X·(W − Ŵ)ᵀ‖² / ‖X·Wᵀ‖² over the calibration text
  std::vector<std::string> notes;  // what was odd: dead columns, another method in its place
};

struct QuantizeJob {
  std::string method = "gptq";
  std::string grid = {};                       // empty: what the dialect stands for, else int4
  std::optional<std::size_t> group_size = {};  // empty: the largest usual one that divides all rows
  std::vector<std::string> transforms = {};    // applied to each block before, in this order
  std::map<std::string, std::string> settings =
      {};                    // {"damping", "0.05"}: of method and transforms
  std::string layout = {};   // empty: gguf for NAME.gguf, else the first that can hold the grid
  std::string dialect = {};  // of the layout; empty: its first
  std::vector<std::string> skip = {};  // regular expressions: modules left as they are
  std::vector<ModuleRule> rules = {};  // the first that matches counts

  std::vector<CalibrationFile> calibration = {};  // none: the model writes its own text
  std::size_t samples = 128;                      // windows of calibration text
  std::size_t length = 0;                         // tokens in each; 0: 512 or the model's context
  std::uint64_t seed = 0;
  // A file of `nibble calibrate` of this model, instead of a text; empty: none.
  std::filesystem::path statistics = {};
  // An imatrix of this model, for rtn: squared errors are weighed by the inputs' mean squares.
  std::filesystem::path imatrix = {};

  Compute compute = Compute::kFloat32;  // of calibration
  std::uint64_t memory_limit = 0;       // bytes; 0: what the machine has
  std::uint64_t max_shard_bytes = 5'000'000'000;
  std::uint64_t max_part_bytes = 0;  // of tensors in each part of a GGUF file; 0: one file
  bool allow_requantize = false;     // quantize tensors again that a GGUF file has in blocks
  bool allow_nonfinite = false;      // leave tensors with such values as they are, not refuse
  bool replace = false;              // an output that is there already
  Resume resume = Resume::kAuto;     // of what an earlier run of this job has done
  bool dry_run = false;              // all checks and the plan; nothing is written

  // `done` of `total` is work, so that the time left follows from it; `what` says what runs now.
  std::function<void(std::string_view what, double done, double total)> progress = {};
  std::function<void(std::string_view line)> log = {};  // notes and warnings
  std::function<void(const QuantizedModule&, std::size_t done, std::size_t total)> module_done = {};
};

struct QuantizeOutcome {
  std::uint64_t input_bytes = 0, output_bytes = 0;
  double bits_per_weight = 0;            // over the quantized modules, scales and zeros included
  double expected_seconds = 0;           // as planned before the work
  std::size_t resumed_layers = 0;        // taken from an earlier run
  std::vector<QuantizedModule> modules;  // in the order of the work; empty after a dry run
};

// `model`: a folder with config.json, tokenizer.json and safetensors, or a GGUF file. `output` is
// created; whatever stops the job, it holds the complete result or what it held before. The same
// job gives the same bytes for any number of threads of one CPU instruction set. Throws
// kInvalidArgument, kNotFound, kCorruptFile, kUnsupported, kResource (memory or disk; says which
// option lowers the need), kNumeric (values that are not finite), kInterrupted.
QuantizeOutcome quantize(const std::filesystem::path& model, const std::filesystem::path& output,
                         const QuantizeJob& job = {});

}  // namespace nibble
