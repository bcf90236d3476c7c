#include "checkpoint/onnx/onnx_writer.h"

#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/files.h"
#include "base/text.h"
#include "checkpoint/onnx/onnx_file.h"
#include "checkpoint/output_folder.h"
#include "nibble/error.h"
#include "tensor/half.h"

namespace nibble {
namespace {

// Readers map tensors into memory one by one, which begins at a page.
constexpr std::uint64_t kAlignment = 4096;

float number_at(std::span<const std::byte> bytes, DType type, std::size_t i) {
  if (type == DType::kF32) {
    float value = 0;
    std::memcpy(&value, bytes.data() + 4 * i, 4);
    return value;
  }
  std::uint16_t word = 0;
  std::memcpy(&word, bytes.data() + 2 * i, 2);
  return type == DType::kF16 ? half_to_float(word) : bfloat16_to_float(word);
}

bool is_float(DType type) {
  return type == DType::kF32 || type == DType::kF16 || type == DType::kBF16;
}

class OnnxWriter final : public ModelWriter {
 public:
  OnnxWriter(const fs::path& target, const OutputModel& model, OnnxModel graph,
             const OutputOptions& options)
      : target_(target),
        source_(model.source),
        side_files_(model.side_files),
        config_(*model.config),
        graph_(std::move(graph)),
        left_out_(graph_.left_out.begin(), graph_.left_out.end()),
        folder_(target, {.force = options.replace, .inputs = model.inputs}) {
    for (const TensorInfo& info : model.tensors)
      if (!left_out_.contains(info.name)) place(info);
    for (const OnnxModel::Own& own : graph_.own)
      if (!own.in_graph) own_at_.push_back(put_place(own.info));
    text_ = onnx_file(graph_, places_, data_name());
    data_ = std::make_unique<AtomicFile>(folder_.folder() / data_name(), end_);
    std::size_t next = 0;
    for (const OnnxModel::Own& own : graph_.own)
      if (!own.in_graph) data_->write_at(places_[own_at_[next++]].offset, own.bytes);
  }

  void add(std::string_view name, std::span<const std::byte> bytes) override {
    if (left_out_.contains(name)) return;
    const auto found = announced_.find(name);
    if (found == announced_.end() || found->second.written)
      throw Error(ErrorKind::kInvalidArgument,
                  cat("tensor \"", name, "\" was not announced, or is added twice"));
    Announced& tensor = found->second;
    if (bytes.size() != tensor.info.bytes)
      throw Error(ErrorKind::kInvalidArgument,
                  cat("tensor \"", name, "\" comes with ", bytes.size(), " bytes; announced were ",
                      tensor.info.bytes));
    tensor.written = true;
    const std::uint64_t offset = places_[tensor.place].offset;
    const auto added = graph_.as_float32.find(name);
    if (added == graph_.as_float32.end()) return data_->write_at(offset, bytes);
    std::vector<float> values(places_[tensor.place].info.bytes / sizeof(float));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = number_at(bytes, tensor.info.dtype, i) + added->second;
    data_->write_at(offset, std::as_bytes(std::span(values)));
  }

  fs::path scratch() const override { return folder_.folder(); }
  fs::path path() const override { return target_; }

  void finish(const Json& passport) override {
    for (const auto& [name, tensor] : announced_)
      if (!tensor.written)
        throw Error(ErrorKind::kInvalidArgument, cat("tensor \"", name, "\" was never added"));
    data_->commit();
    folder_.write_text(std::string(kOnnxFile), text_);
    if (!source_.empty()) folder_.copy_side_files(source_);
    for (const SideFile& file : side_files_) folder_.write_text(file.name, file.text);
    for (const auto& [name, text] : graph_.files) folder_.write_text(name, text);
    config_.erase("quantization_config");  // of the original's tensors, which are not here
    folder_.write_text("config.json", config_.dump(2) + "\n");
    folder_.write_text(kPassportName, passport.dump(1) + "\n");
    folder_.finish();
  }

 private:
  struct Announced {
    TensorInfo info;  // as its bytes come
    std::size_t place = 0;
    bool written = false;
  };

  static std::string data_name() { return cat(kOnnxFile, ".data"); }

  void place(const TensorInfo& original) {
    TensorInfo info = original;
    if (graph_.as_float32.contains(info.name)) {
      if (!is_float(info.dtype))
        throw Error(ErrorKind::kUnsupported,
                    cat("tensor \"", info.name, "\" is ", nibble::name(info.dtype),
                        ", no F32, F16 or BF16"));
      info.bytes = info.bytes * 32 / static_cast<std::uint64_t>(bits(info.dtype));
      info.dtype = DType::kF32;
    }
    const Announced own{original, put_place(info)};
    if (!announced_.emplace(original.name, own).second)
      throw Error(ErrorKind::kInvalidArgument,
                  cat("tensor \"", original.name, "\" is announced twice"));
  }

  std::size_t put_place(const TensorInfo& info) {
    places_.push_back({info, end_});
    end_ = (end_ + info.bytes + kAlignment - 1) / kAlignment * kAlignment;
    return places_.size() - 1;
  }

  fs::path target_, source_;
  std::vector<SideFile> side_files_;
  Json config_;
  OnnxModel graph_;
  std::set<std::string, std::less<>> left_out_;
  OutputFolder folder_;
  std::vector<OnnxPlace> places_;
  std::vector<std::size_t> own_at_;
  std::map<std::string, Announced, std::less<>> announced_;
  std::uint64_t end_ = 0;
  std::string text_;
  std::unique_ptr<AtomicFile> data_;
};

}  // namespace

std::unique_ptr<ModelWriter> create_onnx_folder(const fs::path& target, const OutputModel& model,
                                                OnnxModel graph, const OutputOptions& options) {
  return std::make_unique<OnnxWriter>(target, model, std::move(graph), options);
}

}  // namespace nibble
