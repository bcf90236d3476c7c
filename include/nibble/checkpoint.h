// A set of named tensors in a file or folder. The container is recognised by content, never by
// suffix. Everything read here is untrusted: see docs/architecture.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nibble/dtype.h"

namespace nibble {

struct BlockFormat;
class GgufMetadata;

struct TensorInfo {
  std::string name;
  DType dtype = DType::kF32;  // meaningless where there are blocks
  std::vector<std::int64_t> shape;
  std::uint64_t bytes = 0;
  const BlockFormat* blocks = nullptr;  // rows of blocks, as GGUF has them; null: plain elements
};

class CheckpointReader {
 public:
  virtual ~CheckpointReader() = default;
  // All tensors, sorted by name.
  virtual std::span<const TensorInfo> tensors() const = 0;
  // Mapped; valid while the reader lives. May be misaligned for the element type.
  virtual std::span<const std::byte> bytes(const TensorInfo& info) const = 0;
  // The pages of this tensor may leave memory; a later read brings them back.
  virtual void drop(const TensorInfo& info) const = 0;
  // The files the tensors lie in, for hashing.
  virtual std::vector<std::filesystem::path> files() const = 0;
  // What is odd about the files but harms nothing: a wrong total_size in an index.
  virtual std::span<const std::string> warnings() const { return {}; }
  // What a GGUF file says besides its tensors; null for other containers.
  virtual const GgufMetadata* gguf() const { return nullptr; }

  const TensorInfo* find(std::string_view name) const;  // null when absent
  const TensorInfo& at(std::string_view name) const;    // throws kNotFound with near names
};

// A .safetensors or .gguf file, or a folder with model.safetensors, with an index and shards, with
// exactly one *.safetensors file or, having none, exactly one GGUF model. A GGUF model in parts is
// opened by its first part.
// Throws kNotFound, kCorruptFile, kUnsupported (pickle files: says what to do).
std::unique_ptr<CheckpointReader> open_checkpoint(const std::filesystem::path& path);

// Writes shards as NAME.partial in `folder` and renames them in finish(): shards first, index last.
// A writer that is dropped leaves nothing behind. Tensors are announced first, so that headers and
// the disk space needed are known before the first byte; then they may be added in any order.
class CheckpointWriter {
 public:
  virtual ~CheckpointWriter() = default;
  // `bytes.size()` must equal the announced size. Each announced tensor exactly once.
  virtual void add(std::string_view name, std::span<const std::byte> bytes) = 0;
  // Verifies that every tensor came, syncs, re-opens and checks headers, renames.
  virtual void finish() = 0;
};

struct WriterOptions {
  std::uint64_t max_shard_bytes = 5'000'000'000;
  // What every file of a checkpoint with these tensors says in its header. May be null.
  std::function<std::vector<std::pair<std::string, std::string>>(std::span<const TensorInfo>)>
      metadata = {};
};
// `tensors` in the order they shall lie in the files. One file: model.safetensors without an index.
std::unique_ptr<CheckpointWriter> create_checkpoint(const std::filesystem::path& folder,
                                                    std::vector<TensorInfo> tensors,
                                                    const WriterOptions& options = {});

// Where MODEL names are looked up; filled from the environment by the command line.
struct ModelPlaces {
  std::filesystem::path hub_cache;  // …/huggingface/hub
};
// MODEL: an existing path (folder, .safetensors or .gguf file), else org/name[@revision] in the
// local Hugging Face cache. The result is the folder or file to open.
// Throws kNotFound naming the cache searched and the nearest cached names.
std::filesystem::path locate_model(const std::string& model, const ModelPlaces& places);

}  // namespace nibble
