// What people give as MODEL and what is none that can be read: each is named for what it is, with
// the way to something that can be.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "nibble/checkpoint.h"

namespace nibble {

// Each throws kUnsupported when it recognises something, else it returns.

// By its first bytes: pickles, texts, importance matrices, pointers of Git LFS, other tools' files.
void refuse_foreign_file(const MappedFile& file);

// By the names of its files: adapters; with `no_weights`, also models in forms of other tools.
void refuse_foreign_folder(const fs::path& folder, const std::vector<std::string>& names,
                           bool no_weights);

// By its metadata and its tensors: adapters, projectors, quantized layers that no config tells.
void refuse_foreign_tensors(const CheckpointReader& reader);

// By the quantization_config that no layout claims.
[[noreturn]] void refuse_foreign_quantization(const Json& config);

// Does a file begin as llama.cpp's older importance matrix does (imatrix.dat)?
bool is_importance_matrix(std::span<const std::byte> file);

}  // namespace nibble
