#include "checkpoint/gguf_writer.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/sha256.h"
#include "base/text.h"
#include "checkpoint/byte_writer.h"
#include "checkpoint/container.h"
#include "checkpoint/gguf_type.h"
#include "nibble/error.h"
#include "tensor/half.h"

namespace nibble {
namespace {

constexpr std::uint64_t kAlignment = 32;
constexpr std::uint32_t kVersion = 3;
constexpr std::uint64_t kLeastRoom = 256;  // for a passport that says almost nothing

std::uint64_t padded(std::uint64_t size) {
  return (size + kAlignment - 1) / kAlignment * kAlignment;
}

void put_info(std::string& out, const TensorInfo& info, std::uint64_t offset) {
  put_number<std::uint64_t>(out, info.name.size());
  out += info.name;
  put_number(out, static_cast<std::uint32_t>(info.shape.size()));
  for (auto size = info.shape.rbegin(); size != info.shape.rend(); ++size) put_number(out, *size);
  put_number(out, gguf_type_number(info));
  put_number(out, offset);
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

class GgufWriter final : public ModelWriter {
 public:
  GgufWriter(fs::path target, GgufModel model, std::uint64_t passport_bytes)
      : target_(std::move(target)), left_out_(std::move(model.left_out)) {
    // The passport is known last and lies in front: there is room for it, filled with blanks.
    room_ = padded(std::max(passport_bytes, kLeastRoom));
    model.pairs.text(kPassportKey, std::string(room_, ' '));
    std::string header = "GGUF";
    put_number(header, kVersion);
    put_number<std::uint64_t>(header, model.tensors.size() + model.own.size());
    put_number(header, model.pairs.count());
    header += model.pairs.bytes();
    passport_at_ = header.size() - room_;
    std::uint64_t offset = 0;
    const auto announce = [&](const TensorInfo& info) {
      put_info(header, info, offset);
      const std::uint64_t at = offset;
      offset += padded(info.bytes);
      return at;
    };
    for (const GgufTensor& tensor : model.tensors)
      places_[tensor.source] = {tensor, announce(tensor.info), false};
    std::vector<std::uint64_t> own_places;
    for (const GgufModel::Own& own : model.own) own_places.push_back(announce(own.info));
    header.resize(padded(header.size()), '\0');
    data_ = header.size();
    make_folder();
    file_ = std::make_unique<AtomicFile>(target_, data_ + offset);
    file_->write(header);
    // The file has its length from now on: nobody writes what pads the last tensor.
    constexpr std::byte kZero{};
    if (offset > 0) file_->write_at(data_ + offset - 1, {&kZero, 1});
    for (std::size_t i = 0; i < model.own.size(); ++i) put_data(own_places[i], model.own[i].bytes);
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
    put_data(place.offset, bytes);
    place.written = true;
  }

  fs::path scratch() const override { return folder(); }

  void finish(const Json& passport) override {
    for (const auto& [name, place] : places_)
      if (!place.written)
        throw Error(ErrorKind::kInvalidArgument, cat("tensor \"", name, "\" was never added"));
    // What was written is read back, by a reader's own rules.
    Json complete = passport;
    complete["tensors_sha256"] = tensors_sha256(*open_checkpoint(file_->partial_path()));
    const std::string text = fitting(std::move(complete));
    file_->write_at(passport_at_, std::as_bytes(std::span(text)));
    file_->commit();
  }

 private:
  struct Place {
    GgufTensor tensor;
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

  void put_data(std::uint64_t offset, std::span<const std::byte> bytes) {
    file_->write_at(data_ + offset, bytes);
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
  std::vector<std::string> left_out_;
  std::map<std::string, Place, std::less<>> places_;
  std::uint64_t room_ = 0, passport_at_ = 0, data_ = 0;
  std::unique_ptr<AtomicFile> file_;
};

}  // namespace

void check_gguf_target(const fs::path& target, const OutputModel& output,
                       const OutputOptions& options) {
  std::error_code ignored;
  if (fs::is_directory(target, ignored))
    throw Error(ErrorKind::kInvalidArgument,
                cat(target.string(), ": is a folder; this layout writes one file"),
                cat("give a file: ", (target / "model.gguf").string()));
  if (!fs::exists(target, ignored)) return;
  for (const auto& entry : fs::directory_iterator(output.source, ignored))
    if (same_file(entry.path(), target))
      throw Error(ErrorKind::kInvalidArgument,
                  cat(target.string(), ": is a file of the input model"), "choose another output");
  if (!options.replace)
    throw Error(ErrorKind::kInvalidArgument, cat(target.string(), ": exists"),
                "give --force to replace it, or choose another output");
  if (!containers::gguf.recognises(MappedFile(target).bytes()))
    throw Error(ErrorKind::kInvalidArgument,
                cat(target.string(), ": is not replaced, since it is no GGUF file"),
                "choose another output");
}

std::unique_ptr<ModelWriter> create_gguf(const fs::path& target, const OutputModel& output,
                                         std::uint32_t file_type, const OutputOptions& options) {
  check_gguf_target(target, output, options);
  GgufModel model = output.gguf();
  model.pairs.u32("general.file_type", file_type).u32("general.quantization_version", 2);
  return create_gguf_file(target, std::move(model), output.passport_bytes);
}

std::unique_ptr<ModelWriter> create_gguf_file(const fs::path& target, GgufModel model,
                                              std::uint64_t passport_bytes) {
  return std::make_unique<GgufWriter>(target, std::move(model), passport_bytes);
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
