#include "checkpoint/gguf_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/sha256.h"
#include "base/staged.h"
#include "base/text.h"
#include "checkpoint/byte_writer.h"
#include "checkpoint/container.h"
#include "checkpoint/gguf_header.h"
#include "checkpoint/gguf_parts.h"
#include "checkpoint/gguf_type.h"
#include "nibble/error.h"
#include "tensor/half.h"

namespace nibble {
namespace {

constexpr std::uint32_t kVersion = 3;
constexpr std::uint64_t kLeastRoom = 256;  // for a passport that says almost nothing
constexpr std::size_t kMostParts = 4096;   // what readers here take

std::uint64_t padded(std::uint64_t size, std::uint64_t alignment) {
  return (size + alignment - 1) / alignment * alignment;
}

void put_info(std::string& out, const TensorInfo& info, std::uint64_t offset) {
  put_number<std::uint64_t>(out, info.name.size());
  out += info.name;
  put_number(out, static_cast<std::uint32_t>(info.shape.size()));
  for (auto size = info.shape.rbegin(); size != info.shape.rend(); ++size) put_number(out, *size);
  put_number(out, gguf_type_number(info));
  put_number(out, offset);
}

// How many of the tensors, in their order, lie in each file: as many as fit, one at least.
std::vector<std::size_t> parts_of(const std::vector<TensorInfo>& tensors, std::uint64_t alignment,
                                  std::uint64_t most) {
  if (most == 0) return {tensors.size()};
  std::vector<std::size_t> counts = {0};
  std::uint64_t bytes = 0;
  for (const TensorInfo& info : tensors) {
    const std::uint64_t own = padded(info.bytes, alignment);
    if (counts.back() > 0 && bytes + own > most) {
      counts.push_back(0);
      bytes = 0;
    }
    ++counts.back();
    bytes += own;
  }
  if (counts.size() > kMostParts)
    throw Error(ErrorKind::kInvalidArgument,
                cat("parts of ", most, " bytes: there would be ", counts.size(), " files; at most ",
                    kMostParts, " are read"),
                "take a larger --split-max-size");
  return counts;
}

std::vector<TensorInfo> infos_of(const GgufModel& model) {
  std::vector<TensorInfo> infos;
  for (const GgufTensor& tensor : model.tensors) infos.push_back(tensor.info);
  for (const GgufModel::Own& own : model.own) infos.push_back(own.info);
  return infos;
}

// The files that a model of so many parts lies in: `target` itself where it is one.
std::vector<fs::path> files_of(const fs::path& target, std::size_t parts) {
  if (parts == 1) return {target};
  std::vector<fs::path> files;
  for (std::size_t i = 0; i < parts; ++i)
    files.push_back(target.parent_path() /
                    part_name({target.stem().string(), static_cast<std::uint32_t>(i + 1),
                               static_cast<std::uint32_t>(parts)}));
  return files;
}

std::vector<std::byte> in_order(std::span<const std::byte> bytes,
                                std::span<const std::uint32_t> row_of) {
  const std::size_t row_bytes = bytes.size() / row_of.size();
  std::vector<std::byte> out(bytes.size());
  for (std::size_t r = 0; r < row_of.size(); ++r)
    std::memcpy(out.data() + row_of[r] * row_bytes, bytes.data() + r * row_bytes, row_bytes);
  return out;
}

std::vector<std::byte> as_floats(std::span<const std::byte> bytes, DType type, float added) {
  const std::size_t each = static_cast<std::size_t>(bits(type)) / 8, count = bytes.size() / each;
  std::vector<std::byte> out(count * sizeof(float));
  for (std::size_t i = 0; i < count; ++i) {
    float value = 0;
    if (type == DType::kF32) {
      std::memcpy(&value, bytes.data() + i * each, each);
    } else {
      std::uint16_t word = 0;
      std::memcpy(&word, bytes.data() + i * each, each);
      value = type == DType::kF16 ? half_to_float(word) : bfloat16_to_float(word);
    }
    value += added;
    std::memcpy(out.data() + i * sizeof(float), &value, sizeof(float));
  }
  return out;
}

// As far as that can be: whoever renames the file says what failed.
void bring_to_disk(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

class GgufWriter final : public ModelWriter {
 public:
  GgufWriter(fs::path target, GgufModel model, std::uint64_t passport_bytes,
             std::uint64_t max_part_bytes)
      : target_(std::move(target)),
        alignment_(model.alignment),
        left_out_(std::move(model.left_out)) {
    const std::vector<TensorInfo> infos = infos_of(model);
    const auto counts = parts_of(infos, alignment_, max_part_bytes);
    const auto files = files_of(target_, counts.size());
    // The passport is known last and lies in front: there is room for it, filled with blanks.
    room_ = padded(std::max(passport_bytes, kLeastRoom), alignment_);
    if (counts.size() > 1) put_split(model.pairs, 0, counts.size(), infos.size());
    model.pairs.text(kPassportKey, std::string(room_, ' '));
    make_folder();
    std::size_t next = 0;
    for (std::size_t part = 0; part < counts.size(); ++part) {
      GgufPairs own;
      if (part > 0) put_split(own, part, counts.size(), infos.size());
      const std::size_t end = next + counts[part];
      begin_part(files[part], part == 0 ? model.pairs : own, infos, next, end);
      for (; next < end; ++next) {
        if (next < model.tensors.size()) {
          const GgufTensor& tensor = model.tensors[next];
          places_[tensor.source] = {tensor, part, offsets_[next], false};
        } else {
          put_data(part, offsets_[next], model.own[next - model.tensors.size()].bytes);
        }
      }
    }
  }

  void add(std::string_view name, std::span<const std::byte> bytes) override {
    if (std::find(left_out_.begin(), left_out_.end(), name) != left_out_.end()) return;
    const auto found = places_.find(name);
    if (found == places_.end() || found->second.written)
      throw Error(ErrorKind::kInvalidArgument,
                  cat("tensor \"", name, "\" was not announced, or is added twice"));
    Place& place = found->second;
    const GgufTensor& tensor = place.tensor;
    if (bytes.size() != tensor.original.bytes)
      throw Error(ErrorKind::kInvalidArgument,
                  cat("tensor \"", name, "\" comes with ", bytes.size(), " bytes; announced were ",
                      tensor.original.bytes));
    std::vector<std::byte> turned;
    if (tensor.info.blocks == nullptr &&
        (tensor.info.dtype != tensor.original.dtype || tensor.added != 0)) {
      turned = as_floats(bytes, tensor.original.dtype, tensor.added);
      bytes = turned;
    }
    if (!tensor.row_of.empty()) {
      turned = in_order(bytes, tensor.row_of);
      bytes = turned;
    }
    put_data(place.part, place.offset, bytes);
    place.written = true;
  }

  fs::path scratch() const override { return folder(); }

  void finish(const Json& passport) override {
    for (const auto& [name, place] : places_)
      if (!place.written)
        throw Error(ErrorKind::kInvalidArgument, cat("tensor \"", name, "\" was never added"));
    // What was written is read back, by a reader's own rules.
    Json complete = passport;
    AtomicFile& first = *parts_.front().file;
    complete["tensors_sha256"] = tensors_sha256(*open_checkpoint(first.partial_path()));
    const std::string text = fitting(std::move(complete));
    first.write_at(passport_at_, std::as_bytes(std::span(text)));
    // All parts get their names in one moment, after the long wait for the disk. The first, by
    // which a model is opened, comes last; an old one does not open new ones.
    for (const Part& part : parts_)
      if (parts_.size() > 1) bring_to_disk(part.file->partial_path());
    std::error_code ignored;  // a name that cannot be taken is told by the commit
    if (parts_.size() > 1) fs::remove(parts_.front().path, ignored);
    for (std::size_t i = parts_.size(); i-- > 0;) parts_[i].file->commit();
  }

  fs::path path() const override { return parts_.front().path; }

 private:
  struct Part {
    fs::path path;
    std::uint64_t data = 0;  // where the tensors begin
    std::unique_ptr<AtomicFile> file;
  };
  struct Place {
    GgufTensor tensor;
    std::size_t part = 0;
    std::uint64_t offset = 0;  // in the data
    bool written = false;
  };

  fs::path folder() const { return fs::absolute(target_).parent_path(); }

  void make_folder() const {
    std::error_code failure;
    fs::create_directories(folder(), failure);
    if (failure)
      throw Error(ErrorKind::kResource,
                  cat(folder().string(), ": cannot create the folder: ", failure.message()),
                  "choose another output");
  }

  // As llama-gguf-split has them.
  static void put_split(GgufPairs& pairs, std::size_t part, std::size_t parts,
                        std::size_t tensors) {
    pairs.u16("split.no", static_cast<std::uint16_t>(part))
        .u16("split.count", static_cast<std::uint16_t>(parts))
        .i32("split.tensors.count", static_cast<std::int32_t>(tensors));
  }

  // Header and length of a file with the tensors from `first` to `end`; their offsets.
  void begin_part(const fs::path& path, const GgufPairs& pairs,
                  const std::vector<TensorInfo>& infos, std::size_t first, std::size_t end) {
    std::string header = "GGUF";
    put_number(header, kVersion);
    put_number<std::uint64_t>(header, end - first);
    put_number(header, pairs.count());
    header += pairs.bytes();
    if (parts_.empty()) passport_at_ = header.size() - room_;
    std::uint64_t offset = 0;
    for (std::size_t i = first; i < end; ++i) {
      put_info(header, infos[i], offset);
      offsets_.push_back(offset);
      offset += padded(infos[i].bytes, alignment_);
    }
    header.resize(padded(header.size(), alignment_), '\0');
    Part part{path, header.size(), nullptr};
    part.file = std::make_unique<AtomicFile>(path, part.data + offset);
    part.file->write(header);
    // The file has its length from now on: nobody writes what pads the last tensor.
    constexpr std::byte kZero{};
    if (offset > 0) part.file->write_at(part.data + offset - 1, {&kZero, 1});
    parts_.push_back(std::move(part));
  }

  void put_data(std::size_t part, std::uint64_t offset, std::span<const std::byte> bytes) {
    parts_[part].file->write_at(parts_[part].data + offset, bytes);
  }

  // The work is done: a passport that became too long loses what it can spare.
  std::string fitting(Json passport) const {
    std::string text = passport.dump();
    if (text.size() > room_ && passport.contains("modules")) {
      for (Json& module : passport["modules"]) module.erase("notes");
      text = passport.dump();
    }
    if (text.size() > room_) {
      passport["modules"] = "left out: too long for the room in the file";
      text = passport.dump();
    }
    return text.size() <= room_ ? text : std::string("{}");
  }

  fs::path target_;
  std::uint64_t alignment_;
  std::vector<std::string> left_out_;
  std::map<std::string, Place, std::less<>> places_;
  std::uint64_t room_ = 0, passport_at_ = 0;
  std::vector<std::uint64_t> offsets_;  // of every tensor, in the data of its part
  std::vector<Part> parts_;
};

// "general.type" of a file; empty where it is no GGUF file. Of a damaged one, "model". Statistics
// call themselves an imatrix, which is in them, and took far longer to make.
std::string kind_of_gguf(const fs::path& file) {
  const MappedFile mapped(file);
  if (!containers::gguf.recognises(mapped.bytes())) return {};
  try {
    const GgufMetadata metadata = read_gguf_header(mapped.bytes()).metadata;
    const std::string type = metadata.text("general.type", 256).value_or("model");
    const bool more =
        type == "imatrix" &&
        metadata.text(kPassportKey).value_or("").find(kStatisticsMark) != std::string::npos;
    return more ? std::string(kStatisticsKind) : type;
  } catch (const Error&) {
    return "model";
  }
}

// Readers take all that is called so for one model.
void refuse_older_parts(const fs::path& target, std::size_t parts) {
  std::error_code ignored;
  const fs::path folder = target.parent_path().empty() ? "." : target.parent_path();
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const auto part = parse_part_name(entry.path().filename().string());
    if (part && part->stem == target.stem().string() && part->parts != parts)
      throw Error(ErrorKind::kInvalidArgument,
                  cat(entry.path().string(), ": a part of another output of this name, in ",
                      part->parts, " parts, lies beside this one, in ", parts),
                  "remove its parts, or choose another output");
  }
}

}  // namespace

void check_gguf_target(const fs::path& target, const OutputModel& output,
                       const OutputOptions& options, std::string_view kind) {
  std::error_code ignored;
  if (fs::is_directory(target, ignored))
    throw Error(ErrorKind::kInvalidArgument,
                cat(target.string(), ": is a folder; this layout writes one file"),
                cat("give a file: ", (target / "model.gguf").string()));
  refuse_dangling_link(target);
  check_partial(target);
  if (!fs::exists(target, ignored)) return;
  const auto refuse_input = [&](const fs::path& file) {
    if (same_file(file, target))
      throw Error(ErrorKind::kInvalidArgument,
                  cat(target.string(), ": is a file of the input model"), "choose another output");
  };
  for (const fs::path& input : output.inputs) {
    refuse_input(input);
    for (const auto& entry : fs::directory_iterator(input, ignored)) refuse_input(entry.path());
  }
  if (!options.replace)
    throw Error(ErrorKind::kInvalidArgument, cat(target.string(), ": exists"),
                "give --force to replace it, or choose another output");
  const std::string there = kind_of_gguf(target);
  if (there.empty())
    throw Error(ErrorKind::kInvalidArgument,
                cat(target.string(), ": is not replaced, since it is no GGUF file"),
                "choose another output");
  if (there != kind)
    throw Error(
        ErrorKind::kInvalidArgument,
        cat(target.string(), ": is not replaced, since it is of the kind ", there, ", not ", kind),
        "choose another output");
}

GgufModel checked_gguf(const fs::path& target, const OutputModel& output,
                       const OutputOptions& options) {
  // How many files there will be is known only with the model, which takes a while.
  if (options.max_part_bytes == 0) check_gguf_target(target, output, options);
  GgufModel model = output.gguf();
  if (options.max_part_bytes == 0) return model;
  const auto counts = parts_of(infos_of(model), model.alignment, options.max_part_bytes);
  for (const fs::path& file : files_of(target, counts.size()))
    check_gguf_target(file, output, options);
  if (counts.size() > 1) refuse_older_parts(target, counts.size());
  return model;
}

std::unique_ptr<ModelWriter> create_gguf(const fs::path& target, const OutputModel& output,
                                         std::optional<std::uint32_t> file_type,
                                         const OutputOptions& options) {
  GgufModel model = checked_gguf(target, output, options);
  if (file_type)
    model.pairs.u32("general.quantization_version", 2).u32("general.file_type", *file_type);
  return create_gguf_file(target, std::move(model), output.passport_bytes, options.max_part_bytes);
}

std::unique_ptr<ModelWriter> create_gguf_file(const fs::path& target, GgufModel model,
                                              std::uint64_t passport_bytes,
                                              std::uint64_t max_part_bytes) {
  return std::make_unique<GgufWriter>(target, std::move(model), passport_bytes, max_part_bytes);
}

std::string tensors_sha256(const CheckpointReader& reader) {
  Sha256 sum;
  for (const TensorInfo& info : reader.tensors()) {
    sum.add(reader.bytes(info));
    reader.drop(info);
  }
  return sum.finish();
}

}  // namespace nibble
