// Writes safetensors shards and their index, each atomically.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/check.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "checkpoint/safetensors_header.h"
#include "nibble/checkpoint.h"
#include "nibble/error.h"

namespace nibble {
namespace {

struct Shard {
  std::string name;
  std::vector<TensorInfo> tensors;
  std::string header;
  std::uint64_t data_bytes = 0;
  std::unique_ptr<AtomicFile> file;
};

struct Place {
  std::size_t shard = 0;
  std::uint64_t offset = 0;  // in the file
  std::uint64_t bytes = 0;
  bool written = false;
};

std::uint64_t checked_size(const TensorInfo& info) {
  if (info.name.empty() || info.name == "__metadata__" || !is_valid_utf8(info.name))
    throw Error(ErrorKind::kInvalidArgument,
                cat("\"", info.name, "\" cannot be the name of a tensor"));
  const std::uint64_t needed = with_context("announced", [&] { return tensor_bytes(info); });
  if (info.bytes != needed)
    throw Error(ErrorKind::kInvalidArgument,
                cat("tensor \"", info.name, "\" is announced with ", info.bytes,
                    " bytes; its shape and dtype need ", needed));
  return needed;
}

// Readers of some layouts want all parts of a module in one file.
std::string_view module_of(std::string_view tensor) { return tensor.substr(0, tensor.rfind('.')); }

// Fills shard after shard in the order given; a module above the limit gets a shard of its own.
std::vector<Shard> split(std::vector<TensorInfo> tensors, const WriterOptions& options) {
  const std::uint64_t limit = options.max_shard_bytes;
  std::vector<std::pair<std::string, std::string>> metadata;
  if (options.metadata) metadata = options.metadata(tensors);
  std::vector<Shard> shards(1);
  for (std::size_t begin = 0, end = 0; begin < tensors.size(); begin = end) {
    std::uint64_t bytes = 0;
    while (end < tensors.size() && module_of(tensors[end].name) == module_of(tensors[begin].name))
      bytes += checked_size(tensors[end++]);
    if (!shards.back().tensors.empty() &&
        (bytes > limit || shards.back().data_bytes > limit - bytes))
      shards.emplace_back();
    shards.back().data_bytes += bytes;
    for (std::size_t i = begin; i < end; ++i)
      shards.back().tensors.push_back(std::move(tensors[i]));
  }
  for (std::size_t i = 0; i < shards.size(); ++i) {
    shards[i].name = shards.size() == 1
                         ? "model.safetensors"
                         : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    shards[i].header = write_safetensors_header(shards[i].tensors, metadata);
  }
  return shards;
}

class SafetensorsWriter final : public CheckpointWriter {
 public:
  SafetensorsWriter(fs::path folder, std::vector<TensorInfo> tensors, const WriterOptions& options)
      : folder_(std::move(folder)), shards_(split(std::move(tensors), options)) {
    place_tensors();
    require_space();
    for (Shard& shard : shards_) {
      shard.file = std::make_unique<AtomicFile>(folder_ / shard.name,
                                                shard.header.size() + shard.data_bytes);
      shard.file->write(shard.header);
    }
  }

  ~SafetensorsWriter() override {
    if (finished_) return;
    std::error_code ignored;  // nothing better can be done while giving up
    for (const fs::path& path : renamed_) fs::remove(path, ignored);
  }

  void add(std::string_view name, std::span<const std::byte> bytes) override {
    const auto found = places_.find(name);
    if (found == places_.end())
      throw Error(ErrorKind::kInvalidArgument, cat("tensor \"", name, "\" was not announced"));
    Place& place = found->second;
    if (place.written)
      throw Error(ErrorKind::kInvalidArgument, cat("tensor \"", name, "\" is added twice"));
    if (bytes.size() != place.bytes)
      throw Error(ErrorKind::kInvalidArgument,
                  cat("tensor \"", name, "\" comes with ", bytes.size(), " bytes; announced were ",
                      place.bytes));
    shards_[place.shard].file->write_at(place.offset, bytes);
    place.written = true;
  }

  void finish() override {
    NIBBLE_ASSERT(!finished_);
    for (const auto& [name, place] : places_)
      if (!place.written)
        throw Error(ErrorKind::kInvalidArgument, cat("tensor \"", name, "\" was never added"));
    for (const Shard& shard : shards_) verify(shard);
    for (Shard& shard : shards_) {
      shard.file->commit();
      renamed_.push_back(folder_ / shard.name);
    }
    if (shards_.size() > 1) write_index();
    finished_ = true;
  }

 private:
  void place_tensors() {
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      std::uint64_t offset = shards_[i].header.size();
      for (const TensorInfo& info : shards_[i].tensors) {
        if (!places_.emplace(info.name, Place{i, offset, info.bytes}).second)
          throw Error(ErrorKind::kInvalidArgument,
                      cat("tensor \"", info.name, "\" is announced twice"));
        offset += info.bytes;
      }
    }
  }

  void require_space() const {
    std::uint64_t needed = 0;
    for (const Shard& shard : shards_) needed += shard.header.size() + shard.data_bytes;
    std::error_code failure;
    const fs::space_info space = fs::space(folder_, failure);
    if (failure)
      throw Error(ErrorKind::kNotFound,
                  cat(folder_.string(), ": cannot write there: ", failure.message()));
    if (space.available < needed)
      throw Error(
          ErrorKind::kResource,
          cat(folder_.string(), ": the disk is too full: ", needed, " bytes (", human_bytes(needed),
              ") are needed, ", space.available, " (", human_bytes(space.available), ") are free"),
          "free some space or choose an output folder on another disk");
  }

  // Reads back what a reader will see, before the file gets its final name.
  static void verify(const Shard& shard) {
    const fs::path& path = shard.file->partial_path();
    with_context(path.string(), [&] {
      const MappedFile file(path);
      const SafetensorsHeader header = read_safetensors_header(file.bytes());
      if (header.tensors.size() != shard.tensors.size())
        throw Error(ErrorKind::kCorruptFile, "what was written does not read back");
    });
  }

  void write_index() const {
    Json index = {{"metadata", {{"total_size", 0}}}, {"weight_map", Json::object()}};
    std::uint64_t total = 0;
    auto& map = index["weight_map"].get_ref<Json::object_t&>();
    for (const auto& [name, place] : places_) {
      total += place.bytes;
      map.emplace_back(name, shards_[place.shard].name);  // names come sorted, each once
    }
    index["metadata"]["total_size"] = total;
    write_file(folder_ / "model.safetensors.index.json", index.dump(2) + "\n");
  }

  fs::path folder_;
  std::vector<Shard> shards_;
  std::map<std::string, Place, std::less<>> places_;
  std::vector<fs::path> renamed_;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<CheckpointWriter> create_checkpoint(const std::filesystem::path& folder,
                                                    std::vector<TensorInfo> tensors,
                                                    const WriterOptions& options) {
  return std::make_unique<SafetensorsWriter>(folder, std::move(tensors), options);
}

}  // namespace nibble
