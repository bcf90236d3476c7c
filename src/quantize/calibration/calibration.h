// The token windows a job calibrates on: from files, or written by the model itself.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "model/source.h"
#include "nibble/quantize.h"
#include "nibble/tokenizer.h"

namespace nibble {

// A file is a text as TextFile reads it: prose, rows of JSON (model/documents.h), or token windows
// ({"windows": [[1, 2, …], …]}); recognised by content.
struct CalibrationOptions {
  std::vector<CalibrationFile> sources = {};  // none: the model writes its own text
  std::size_t samples = 128;                  // windows
  std::size_t length = 0;  // tokens in a window; 0: min(512, the model's context)
  std::uint64_t seed = 0;
};

struct Calibration {
  std::vector<std::int32_t> ids;  // [samples · length]
  std::size_t samples = 0;
  std::size_t length = 0;
  std::string hash;         // SHA-256 of the ids as int32, little-endian
  std::string description;  // "notes.txt", "self-written"
  std::string statistics;   // SHA-256 of the statistics in the tokens' place; empty: there are none
  std::vector<std::string> notes;
};

// What to be told of windows with fewer tokens than a layer has inputs, whose products they are to
// fill; empty where they are enough.
std::string few_tokens_note(std::size_t samples, std::size_t length, std::size_t inputs);

// Throws kInvalidArgument when the sources hold too few tokens (says how many there are), or a
// pre-tokenized window has another length or an id outside the vocabulary.
Calibration gather_calibration(const ModelSource& source, const Tokenizer& tokenizer,
                               const CalibrationOptions& options, Compute compute,
                               const ProgressSink& progress);

}  // namespace nibble
