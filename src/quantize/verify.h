// Checks a finished checkpoint against its own proof: checksums, passport, the container's and the
// layout's rules, and what the usual consumers will refuse.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "checkpoint/layout.h"

namespace nibble {

struct VerifyResult {
  std::vector<Finding> findings;
  std::size_t files_checked = 0;    // against SHA256SUMS, or the sum in the file
  std::size_t modules_checked = 0;  // quantized modules found in the checkpoint
  std::size_t entries_checked = 0;  // matrices whose inputs were measured, in such a file
  bool passed() const;              // no finding is an error
};

// `model`: a folder, or a GGUF file, whose sums are in its passport, or a file of measured inputs
// (calibration/verify_inputs.h). `base`: the original, whose files must have the hashes in the
// passport.
VerifyResult verify_checkpoint(const std::filesystem::path& model,
                               const std::optional<std::filesystem::path>& base);

}  // namespace nibble
