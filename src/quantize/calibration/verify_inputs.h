// Checks a file of measured inputs: of nibble calibrate, or an imatrix.
#pragma once

#include <filesystem>
#include <optional>

#include "quantize/verify.h"

namespace nibble {

// `file`: one that InputImportance::is_in. What nibble wrote must be what was written; of other
// programs' files the numbers must be possible. `base`: the model it must be of, which only
// statistics name.
VerifyResult verify_inputs(const std::filesystem::path& file,
                           const std::optional<std::filesystem::path>& base);

}  // namespace nibble
