// GGUF: metadata, then tensors as plain elements or rows of blocks, in one file or in parts.
#include <algorithm>
#include <numeric>
#include <utility>

#include "base/text.h"
#include "checkpoint/container.h"
#include "checkpoint/gguf_header.h"
#include "checkpoint/gguf_parts.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::int64_t kMaxParts = 4096;

class GgufReader final : public CheckpointReader {
 public:
  explicit GgufReader(MappedFile first) {
    const fs::path path = first.path();
    add(std::move(first));
    const std::int64_t parts = metadata_.integer("split.count", 0, kMaxParts).value_or(1);
    if (parts > 1) add_other_parts(path, parts);
    merge();
    const auto total = metadata_.integer("split.tensors.count", 0, INT32_MAX);
    if (parts > 1 && total && static_cast<std::size_t>(*total) != tensors_.size())
      throw Error(ErrorKind::kCorruptFile, cat("the parts have ", tensors_.size(),
                                               " tensors; the first announces ", *total));
  }

  std::span<const TensorInfo> tensors() const override { return tensors_; }

  std::span<const std::byte> bytes(const TensorInfo& info) const override {
    const auto [file, offset] = places_[index_of(info)];
    return files_[file].bytes().subspan(offset, at(info.name).bytes);
  }

  void drop(const TensorInfo& info) const override {
    files_[places_[index_of(info)].file].drop(bytes(info));
  }

  std::vector<std::filesystem::path> files() const override {
    std::vector<fs::path> paths;
    for (const MappedFile& file : files_) paths.push_back(file.path());
    return paths;
  }

  std::span<const std::string> warnings() const override { return warnings_; }
  const GgufMetadata* gguf() const override { return &metadata_; }

 private:
  struct Place {
    std::uint32_t file;
    std::uint64_t offset;
  };

  std::size_t index_of(const TensorInfo& info) const {
    return static_cast<std::size_t>(&at(info.name) - tensors_.data());
  }

  // The metadata is that of the first file.
  GgufMetadata add(MappedFile file) {
    GgufHeader header = read_gguf_header(file.bytes());
    const auto number = static_cast<std::uint32_t>(files_.size());
    for (const std::uint64_t offset : header.offsets) places_.push_back({number, offset});
    if (files_.empty()) {
      tensors_ = std::move(header.tensors);
      metadata_ = header.metadata;
    } else {
      std::move(header.tensors.begin(), header.tensors.end(), std::back_inserter(tensors_));
    }
    std::move(header.warnings.begin(), header.warnings.end(), std::back_inserter(warnings_));
    files_.push_back(std::move(file));
    return std::move(header.metadata);
  }

  void add_other_parts(const fs::path& first, std::int64_t parts) {
    // A writer reads its parts back before they have their names.
    constexpr std::string_view kPartial = ".partial";
    std::string own_name = first.filename().string();
    const std::string_view behind = own_name.ends_with(kPartial) ? kPartial : "";
    own_name.resize(own_name.size() - behind.size());
    auto name = parse_part_name(own_name);
    if (!name || name->parts != parts)
      throw Error(ErrorKind::kUnsupported,
                  cat("is one of ", parts, " parts, which its name does not say"),
                  cat("give the parts their names: NAME-00001-of-", fmt::format("{:05}", parts),
                      ".gguf and so on"));
    check_part(metadata_, name->part, parts);
    if (name->part != 1) {
      name->part = 1;
      throw Error(ErrorKind::kUnsupported, "is not the first part of its model",
                  cat("open ", (first.parent_path() / part_name(*name)).string()));
    }
    for (name->part = 2; name->part <= parts; ++name->part) {
      const fs::path path = first.parent_path() / cat(part_name(*name), behind);
      std::error_code ignored;
      if (!fs::exists(path, ignored))
        throw Error(ErrorKind::kNotFound,
                    cat("the part ", path.filename().string(), " is not beside it"),
                    "download the missing file");
      with_context(path.filename().string(),
                   [&] { check_part(add(MappedFile(path)), name->part, parts); });
    }
  }

  static void check_part(const GgufMetadata& metadata, std::uint32_t part, std::int64_t parts) {
    const auto own = metadata.integer("split.no", 0, kMaxParts);
    const auto count = metadata.integer("split.count", 0, kMaxParts);
    if (own != part - 1 || count != parts)
      throw Error(ErrorKind::kCorruptFile,
                  cat("says that it is part ", own.value_or(-1) + 1, " of ", count.value_or(-1),
                      "; its name says part ", part, " of ", parts));
  }

  void merge() {
    if (files_.size() == 1) return;  // sorted already
    std::vector<std::uint32_t> order(tensors_.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
      return tensors_[a].name < tensors_[b].name;
    });
    std::vector<TensorInfo> sorted;
    std::vector<Place> places;
    for (const std::uint32_t i : order) {
      if (!sorted.empty() && sorted.back().name == tensors_[i].name)
        throw Error(ErrorKind::kCorruptFile,
                    cat("tensor \"", tensors_[i].name, "\" lies in two parts"));
      sorted.push_back(std::move(tensors_[i]));
      places.push_back(places_[i]);
    }
    tensors_ = std::move(sorted);
    places_ = std::move(places);
  }

  std::vector<MappedFile> files_;
  GgufMetadata metadata_;  // looks into the first file
  std::vector<TensorInfo> tensors_;
  std::vector<Place> places_;
  std::vector<std::string> warnings_;
};

bool recognises(std::span<const std::byte> file) {
  return file.size() >= 4 && std::memcmp(file.data(), "GGUF", 4) == 0;
}

std::unique_ptr<CheckpointReader> open(MappedFile file) {
  const std::string path = file.path().string();
  return with_context(path, [&] { return std::make_unique<GgufReader>(std::move(file)); });
}

}  // namespace

namespace containers {
extern const Container gguf{.name = "gguf", .recognises = recognises, .open = open};
}

}  // namespace nibble
