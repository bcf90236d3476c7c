// The last step of a conversion: what was written is read back.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "model/source.h"

namespace nibble {

// Opens `output` as any program would, and compares every matrix, norm and bias of `source` with
// what it has, rounded to F16 or BF16 where the source's tensor is that. `progress` gets a module's
// name and the share that is done. Throws kNumeric naming the first that differs.
void compare_weights(const ModelSource& source, const std::filesystem::path& output,
                     const std::function<void(const std::string& name, double share)>& progress);

}  // namespace nibble
