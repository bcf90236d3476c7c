// Is a file of measured inputs still what was written? Those of nibble calibrate and nibble imatrix
// have a sum of their tensors; those of other programs have none.
#pragma once

#include <filesystem>

#include "base/json.h"
#include "nibble/checkpoint.h"

namespace nibble {

// What nibble calibrate or nibble imatrix wrote into a GGUF file of its own; null: it is of another
// program, or of another kind. Throws what parsing throws.
Json measured_passport(const CheckpointReader& reader);

// Throws kCorruptFile unless the file's tensors are those that its passport was written with.
void require_sums(const std::filesystem::path& file, const CheckpointReader& reader,
                  const Json& passport);

}  // namespace nibble
