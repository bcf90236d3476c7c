// What an output takes over from its source besides quantized modules: tensors as they are, config
// and tokenizer, of a folder or a GGUF file, for either.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "model/gguf/folder_of_file.h"
#include "model/source.h"

namespace nibble {

class CarriedParts {
 public:
  // A GGUF source that becomes a folder needs config.json and tokenizer made of its metadata, which
  // `log` gets notes of. Throws what folder_of_gguf throws. `source` must outlive this.
  CarriedParts(const ModelSource& source, bool becomes_folder, const LogSink& log);

  // The output's form of a tensor that is carried over; empty: such an output has none of it.
  std::optional<TensorInfo> planned(const TensorInfo& info) const;
  // Its bytes, in a form that lasts until the next call.
  std::span<const std::byte> bytes(const TensorInfo& info);

  // Everything that is known before the tensors, which these are.
  OutputModel output(std::vector<TensorInfo> tensors, std::uint64_t passport_bytes,
                     const LogSink& log) const;
  // For the passport, by name: SHA-256 of the tokenizer's files, and of all others.
  Json tokenizer_hashes() const;
  Json model_hashes() const;

 private:
  bool from_file() const { return source_.checkpoint().gguf() != nullptr; }
  bool unpacked() const { return from_file() && becomes_folder_; }

  const ModelSource& source_;
  bool becomes_folder_;
  FolderOfFile folder_;
  std::vector<std::byte> room_, turned_;
};

}  // namespace nibble
