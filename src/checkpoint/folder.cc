// A Hugging Face folder: model.safetensors, an index and its shards, or one *.safetensors file.
#include <algorithm>
#include <numeric>

#include "base/text.h"
#include "checkpoint/container.h"
#include "checkpoint/foreign.h"
#include "checkpoint/gguf_parts.h"
#include "checkpoint/shard_index.h"
#include "nibble/error.h"

namespace nibble {
namespace {

// Several files that look like one.
class ShardedReader final : public CheckpointReader {
 public:
  ShardedReader(const fs::path& folder, const ShardIndex& index) {
    for (const std::string& shard : index.shards) open_shard(folder, shard);
    merge(index);
    check_against(index);
  }

  std::span<const TensorInfo> tensors() const override { return tensors_; }
  std::span<const std::byte> bytes(const TensorInfo& info) const override {
    return shard_of(info).bytes(info);
  }
  void drop(const TensorInfo& info) const override { shard_of(info).drop(info); }
  std::vector<std::filesystem::path> files() const override {
    std::vector<fs::path> paths;
    for (const auto& shard : shards_) paths.push_back(shard->files().front());
    return paths;
  }
  std::span<const std::string> warnings() const override { return warnings_; }

 private:
  void open_shard(const fs::path& folder, const std::string& name) {
    std::error_code ignored;
    if (!fs::exists(folder / name, ignored))
      throw Error(ErrorKind::kNotFound,
                  cat("the index names the shard \"", name, "\", which is not in the folder"),
                  "download the missing file");
    shards_.push_back(open_checkpoint_file(folder / name));
  }

  // Where a name lies in several shards, the index says which one counts.
  void merge(const ShardIndex& index) {
    std::vector<std::pair<const TensorInfo*, std::uint32_t>> all;
    for (std::uint32_t i = 0; i < shards_.size(); ++i)
      for (const TensorInfo& info : shards_[i]->tensors()) all.emplace_back(&info, i);
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return a.first->name < b.first->name; });
    std::size_t overlaid = 0;
    for (const auto& [info, shard] : all) {
      const auto listed = std::lower_bound(
          index.tensors.begin(), index.tensors.end(), info->name,
          [](const auto& entry, const std::string& name) { return entry.first < name; });
      const bool is_listed = listed != index.tensors.end() && listed->first == info->name;
      if (is_listed && listed->second != shard) {
        ++overlaid;
        continue;
      }
      if (!is_listed && !tensors_.empty() && tensors_.back().name == info->name)
        throw Error(ErrorKind::kCorruptFile,
                    cat("tensor \"", info->name, "\" lies in two shards: ",
                        file_name(owner_.back()), " and ", file_name(shard)));
      tensors_.push_back(*info);
      owner_.push_back(shard);
    }
    if (overlaid > 0)
      warnings_.push_back(cat(overlaid,
                              " tensors lie in another shard too; those that the index "
                              "names are read"));
  }

  void check_against(const ShardIndex& index) {
    for (const auto& [name, shard] : index.tensors)
      if (shards_[shard]->find(name) == nullptr)
        throw Error(ErrorKind::kCorruptFile,
                    cat("the index says that tensor \"", name, "\" lies in ", index.shards[shard],
                        "; that file does not have it"));
    std::uint64_t total = 0;
    for (const TensorInfo& info : tensors_) total += info.bytes;
    if (index.total_size && *index.total_size != total)
      warnings_.push_back(cat("the index claims a total_size of ", *index.total_size,
                              " bytes; the tensors have ", total));
    if (tensors_.size() != index.tensors.size())
      warnings_.push_back(cat("the index lists ", index.tensors.size(),
                              " tensors; the shards have ", tensors_.size()));
  }

  std::string file_name(std::uint32_t shard) const {
    return shards_[shard]->files().front().filename().string();
  }
  const CheckpointReader& shard_of(const TensorInfo& info) const {
    return *shards_[owner_[static_cast<std::size_t>(&at(info.name) - tensors_.data())]];
  }

  std::vector<std::unique_ptr<CheckpointReader>> shards_;
  std::vector<TensorInfo> tensors_;
  std::vector<std::uint32_t> owner_;  // of each tensor
  std::vector<std::string> warnings_;
};

// GGUF files that are models or the first parts of models.
std::vector<std::string> gguf_models(const std::vector<std::string>& names) {
  std::vector<std::string> models;
  for (const std::string& name : names) {
    const auto part = parse_part_name(name);
    if (name.ends_with(".gguf") && (!part || part->part == 1)) models.push_back(name);
  }
  return models;
}

std::string first_few(std::span<const std::string> names) {
  return join(names.first(std::min<std::size_t>(names.size(), 4)), ", ");
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::error_code failure;
  std::vector<std::string> names;
  for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end;
       entry.increment(failure))
    names.push_back(entry->path().filename().string());
  if (failure)
    throw Error(ErrorKind::kResource,
                cat(folder.string(), ": cannot list the folder: ", failure.message()));
  std::sort(names.begin(), names.end());
  return names;
}

[[noreturn]] void refuse_without_weights(const fs::path& folder,
                                         const std::vector<std::string>& names) {
  refuse_foreign_folder(folder, names, true);
  for (const std::string& name : names) {
    const bool is_pickle = name.starts_with("pytorch_model") || name.ends_with(".pt") ||
                           name.ends_with(".pth") || name.ends_with(".bin");
    if (!is_pickle || name.ends_with(".json")) continue;
    throw Error(ErrorKind::kUnsupported,
                cat(folder.string(), ": has no safetensors file, only ", name,
                    ", a pickle: reading it can run code, so it is not read"),
                "convert it once with: python -c \"from transformers import AutoModel as "
                "M; M.from_pretrained('IN').save_pretrained('OUT', safe_serialization=True)\"");
  }
  std::string unfinished;
  for (const std::string& name : names)
    if (name.ends_with(".partial") || name.ends_with(".incomplete"))
      unfinished = cat("; ", name, " is left from an unfinished run");
  throw Error(ErrorKind::kNotFound, cat(folder.string(),
                                        ": has no model.safetensors, model.safetensors.index.json, "
                                        "other *.safetensors or *.gguf file",
                                        unfinished));
}

}  // namespace

std::unique_ptr<CheckpointReader> open_checkpoint_folder(const fs::path& folder) {
  const std::vector<std::string> names = names_in(folder);
  const auto has = [&](std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  refuse_foreign_folder(folder, names, false);
  const fs::path index_path = folder / "model.safetensors.index.json";
  if (has("model.safetensors.index.json")) {
    const ShardIndex index = with_context(index_path.string(), [&] {
      return parse_shard_index(read_file(index_path, ShardIndex::kMaxBytes));
    });
    // Beside an index of other files the single file counts, as for the transformers library; an
    // index that names it lays other files over it.
    const bool names_it = std::find(index.shards.begin(), index.shards.end(),
                                    "model.safetensors") != index.shards.end();
    if (!has("model.safetensors") || names_it)
      return with_context(index_path.string(),
                          [&] { return std::make_unique<ShardedReader>(folder, index); });
  }
  if (has("model.safetensors")) return open_checkpoint_file(folder / "model.safetensors");
  std::vector<std::string> found;
  for (const std::string& name : names)
    if (name.ends_with(".safetensors")) found.push_back(name);
  if (found.size() == 1) return open_checkpoint_file(folder / found.front());
  if (found.size() > 1)
    throw Error(ErrorKind::kNotFound,
                cat(folder.string(), ": has ", found.size(),
                    " safetensors files but no model.safetensors.index.json: ", first_few(found)),
                "download the index file, or name one of the files");
  const std::vector<std::string> models = gguf_models(names);
  if (models.size() == 1) return open_checkpoint_file(folder / models.front());
  if (models.empty()) refuse_without_weights(folder, names);
  throw Error(ErrorKind::kNotFound,
              cat(folder.string(), ": has ", models.size(), " GGUF models: ", first_few(models)),
              "name one of the files");
}

}  // namespace nibble
