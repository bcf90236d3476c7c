#include "quantize/convert/carried_parts.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/files.h"
#include "base/sha256.h"
#include "model/gguf/model_of.h"
#include "model/onnx/model_of.h"
#include "quantize/passport.h"

namespace nibble {

CarriedParts::CarriedParts(const ModelSource& source, bool becomes_folder, const LogSink& log)
    : source_(source), becomes_folder_(becomes_folder) {
  if (!unpacked()) return;
  std::vector<std::string> notes;
  folder_ = folder_of_gguf(source_, notes);
  for (const std::string& note : notes)
    if (log) log(note);
}

std::optional<TensorInfo> CarriedParts::planned(const TensorInfo& info) const {
  if (!unpacked()) return info;
  if (left_out_of_folder(info)) return std::nullopt;
  return folder_info(source_, info);
}

std::span<const std::byte> CarriedParts::bytes(const TensorInfo& info) {
  const auto bytes = source_.bytes(info, room_);
  return unpacked() ? folder_bytes(source_, info, bytes, turned_) : bytes;
}

OutputModel CarriedParts::output(std::vector<TensorInfo> tensors, std::uint64_t passport_bytes,
                                 const LogSink& log) const {
  OutputModel model{.inputs = source_.inputs(),
                    .source = from_file() ? std::filesystem::path() : source_.folder(),
                    .side_files = folder_.files,
                    .config = unpacked() ? &folder_.config : &source_.config(),
                    .tensors = std::move(tensors),
                    .passport_bytes = passport_bytes,
                    .gguf = {}};
  model.gguf = [this, planned = model.tensors, &log] {
    std::vector<std::string> notes;
    GgufModel gguf = gguf_model_of(source_, planned, notes);
    for (const std::string& note : notes)
      if (log) log(note);
    return gguf;
  };
  model.onnx = [this, planned = model.tensors](const OnnxProduct& product) {
    return onnx_model_of(source_, planned, product);
  };
  return model;
}

Json CarriedParts::tokenizer_hashes() const {
  Json hashes = from_file() ? Json::object() : hash_files(tokenizer_files(source_.folder()));
  for (const SideFile& file : folder_.files)
    if (file.name.starts_with("tokenizer"))
      hashes[file.name] = sha256(std::as_bytes(std::span(file.text)));
  return hashes;
}

Json CarriedParts::model_hashes() const {
  return hash_files(model_files(source_));
}

}  // namespace nibble
