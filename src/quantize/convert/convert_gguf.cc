#include "quantize/convert/convert_gguf.h"

#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/sha256.h"
#include "base/text.h"
#include "checkpoint/gguf_type.h"
#include "checkpoint/gguf_writer.h"
#include "checkpoint/plain_folder.h"
#include "model/gguf/folder_of_file.h"
#include "model/gguf/model_of_file.h"
#include "model/gguf/names.h"
#include "nibble/error.h"
#include "quantize/convert/compare_weights.h"
#include "quantize/passport.h"
#include "quantize/requantize.h"

namespace nibble {
namespace {

class GgufConversion {
 public:
  GgufConversion(const std::filesystem::path& model, const std::filesystem::path& output,
                 const ConvertOptions& options, const ProgressSink& progress, const LogSink& log)
      : source_(model), output_(output), options_(options), progress_(progress), log_(log) {}

  ConvertResult run() {
    for (const std::string& note : source_.notes()) tell(note);
    result_.from = "gguf";
    choose_output();
    plan();
    write();
    compare_weights(source_, result_.output,
                    [&](const std::string& name, double share) { show(name, 1 + share); });
    return std::move(result_);
  }

 private:
  void tell(const std::string& line) const {
    if (log_) log_(line);
  }
  // Half of the work is writing, the other half reading back.
  void show(std::string_view label, double done) const {
    if (progress_) progress_({"Converting", label, done, 2});
  }

  void choose_output() {
    const Layout* by_name = layouts::writing(output_);
    to_file_ = by_name != nullptr;
    if (!options_.layout.empty() && (!to_file_ || options_.layout != by_name->name))
      throw Error(ErrorKind::kUnsupported,
                  cat(source_.path().string(),
                      ": is a GGUF file; its blocks are not moved to layout ", options_.layout),
                  "convert it into X.gguf or, unquantized, into a folder without --layout; nibble "
                  "quantize makes codes for other layouts");
    if (!options_.grid.empty())
      throw Error(ErrorKind::kInvalidArgument,
                  "--grid and --group-size would not be read: this file's blocks stay as they are",
                  "leave them out; grids are found in unquantized weights");
    if (!options_.dialect.empty())
      throw Error(ErrorKind::kInvalidArgument,
                  cat("--type ", options_.dialect, " would not be read: tensors stay as they are"),
                  "nibble quantize takes a GGUF file, too, and a --type");
    if (!to_file_ && options_.max_part_bytes != 0)
      throw Error(ErrorKind::kInvalidArgument,
                  "--split-max-size would not be read: the output is a folder",
                  "leave it out; --max-shard-size is for folders");
    if (to_file_ && options_.max_shard_bytes != ConvertOptions().max_shard_bytes)
      throw Error(ErrorKind::kInvalidArgument,
                  "--max-shard-size would not be read: the output is a file",
                  "leave it out; --split-max-size cuts such a file in parts");
    if (to_file_) result_.to = by_name->name;
  }

  // A matrix that no model part uses may still be in blocks.
  void refuse_blocks(const TensorInfo& info) const {
    if (info.blocks == nullptr) return;
    const std::string name = gguf_tensor_name(info.name, source_.spec().output_norms);
    throw Error(
        ErrorKind::kUnsupported,
        cat(source_.path().string(), ": ", name.empty() ? info.name : name, " is quantized (",
            info.blocks->name, "), and a folder of Hugging Face has no such blocks"),
        "convert the model's F16, BF16 or F32 file; or nibble quantize with "
        "--allow-requantize, which rounds a second time");
  }

  void plan() {
    for (const TensorInfo& info : source_.checkpoint().tensors()) {
      result_.input_bytes += info.bytes;
      if (!to_file_) refuse_blocks(info);
      if (!to_file_ && left_out_of_folder(info)) continue;
      carried_.push_back(info);
      tensors_.push_back(to_file_ ? info : folder_info(source_, info));
      result_.output_bytes += tensors_.back().bytes;
    }
    if (to_file_) {
      for (PlannedTensor& kept : kept_blocks(source_, Recipe()))
        quantized_.push_back({std::move(kept), 0});
      result_.modules = quantized_.size();
      return;
    }
    std::vector<std::string> notes;
    folder_ = folder_of_gguf(source_, notes);
    for (const std::string& note : notes) tell(note);
  }

  std::unique_ptr<ModelWriter> create() const {
    OutputModel model{.inputs = source_.inputs(),
                      .source = {},
                      .side_files = folder_.files,
                      .config = &folder_.config,
                      .tensors = tensors_,
                      .passport_bytes = 8192 + 1024 * quantized_.size(),
                      .gguf = [this] { return gguf_model_of_file(source_, tensors_, true); }};
    const OutputOptions options{.replace = options_.replace,
                                .max_shard_bytes = options_.max_shard_bytes,
                                .max_part_bytes = options_.max_part_bytes};
    return to_file_ ? create_gguf(output_, model, std::nullopt, options)
                    : create_plain_folder(output_, model, options);
  }

  void write() {
    Json made = passport();  // before hours of work: the source's own may be damaged
    const auto writer = create();
    result_.output = writer->path();
    double done = 0;
    for (const TensorInfo& info : carried_) {
      throw_if_stopped();
      std::vector<std::byte> room, turned;
      const auto bytes = source_.bytes(info, room);
      writer->add(info.name, to_file_ ? bytes : folder_bytes(source_, info, bytes, turned));
      source_.checkpoint().drop(info);
      done += static_cast<double>(info.bytes);
      show(info.name, done / static_cast<double>(result_.input_bytes));
    }
    writer->finish(made);
  }

  // How the blocks were made, where the source tells it; a folder has none.
  Json passport() const {
    Json made = to_file_ ? read_passport(source_) : Json(nullptr);
    if (!made.is_object() || !made.contains("modules")) {
      made = {{"schema", "nibble.passport/1"}, {"version", NIBBLE_VERSION},
              {"base", Json::object()},        {"tokenizer", Json::object()},
              {"calibration", nullptr},        {"recipe", Json::object()},
              {"modules", Json::array()}};
      Json tensors = Json::array();
      for (const TensorReport& report : quantized_) tensors.push_back(tensor_report_json(report));
      for (Json& tensor : tensors) tensor["weight_error"] = nullptr;  // nobody says it
      if (!tensors.empty()) made["tensors"] = std::move(tensors);
    }
    for (const SideFile& file : folder_.files)
      if (file.name.starts_with("tokenizer"))
        made["tokenizer"][file.name] = sha256(std::as_bytes(std::span(file.text)));
    made["converted"] = {{"from", "gguf"}, {"files", hash_files(source_.checkpoint().files())}};
    return made;
  }

  ModelSource source_;
  std::filesystem::path output_;
  ConvertOptions options_;
  const ProgressSink& progress_;
  const LogSink& log_;
  bool to_file_ = false;
  FolderOfFile folder_;
  std::vector<TensorInfo> carried_, tensors_;  // as they are, and as the output has them
  std::vector<TensorReport> quantized_;
  ConvertResult result_;
};

}  // namespace

bool opens_as_gguf(const std::filesystem::path& model) {
  try {
    return open_checkpoint(model)->gguf() != nullptr;
  } catch (const Error&) {
    return false;  // who needs it says what is wrong
  }
}

ConvertResult convert_gguf(const std::filesystem::path& model, const std::filesystem::path& output,
                           const ConvertOptions& options, const ProgressSink& progress,
                           const LogSink& log) {
  return GgufConversion(model, output, options, progress, log).run();
}

}  // namespace nibble
