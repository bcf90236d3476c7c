#include "checkpoint/foreign.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "checkpoint/gguf_metadata.h"
#include "checkpoint/gguf_writer.h"
#include "checkpoint/model_writer.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::string_view kWhatModelIs =
    "MODEL is a folder with config.json and *.safetensors, or a .gguf file";
constexpr std::string_view kImatrixFix = "name the model; the imatrix goes behind --imatrix";
constexpr std::string_view kPickleFix =
    "convert it once with: python -c \"import torch, safetensors.torch as s; "
    "w = torch.load('IN', map_location='cpu', weights_only=True); "
    "s.save_file({k: v.contiguous().clone() for k, v in w.items()}, 'model.safetensors', "
    "metadata={'format': 'pt'})\"";
constexpr std::string_view kMergeFix =
    "run it beside its base, with --lora FOLDER; or make one model of both: nibble fuse BASE "
    "FOLDER "
    "OUT";
constexpr std::string_view kOriginalFix =
    "give the model it was made from, or a GPTQ or GGUF copy of that";

// Magic bytes, what they begin, what to do.
struct Kind {
  std::string_view magic, what, fix;
};
constexpr std::string_view kPickle =
    "is a pickle (PyTorch) file, which can run code; such files are not read";
constexpr std::array kFileKinds = {
    Kind{"PK\3\4", kPickle, kPickleFix},
    Kind{"\x80\x02", kPickle, kPickleFix},
    Kind{"\x80\x03", kPickle, kPickleFix},
    Kind{"\x80\x04", kPickle, kPickleFix},
    Kind{"version https://git-lfs", "is a Git LFS pointer, not the file itself",
         "fetch the file: git lfs pull, or hf download"},
    Kind{"lmgg", "is a GGML file, the form before GGUF", kOriginalFix},
    Kind{"fmgg", "is a GGML file, the form before GGUF", kOriginalFix},
    Kind{"tjgg", "is a GGML file, the form before GGUF", kOriginalFix},
    Kind{"algg", "is a LoRA adapter in the GGML form, not a model", kWhatModelIs},
    Kind{"\x89HDF", "is an HDF5 file (Keras), not a model that is read", kWhatModelIs},
    Kind{"\x93NUMPY", "is a NumPy array, not a model", kWhatModelIs},
    Kind{"\x1f\x8b", "is compressed with gzip", "decompress it first"},
    Kind{"\x28\xb5\x2f\xfd", "is compressed with zstd", "decompress it first"},
};

struct Named {
  std::string_view name, what;
};
constexpr std::array kFolderKinds = {
    Named{"model_index.json", "an image model of the diffusers library"},
    Named{".onnx", "an ONNX model"},
    Named{"openvino_model.xml", "an OpenVINO model"},
    Named{"tf_model.h5", "a TensorFlow model"},
    Named{"flax_model.msgpack", "a Flax model"},
    Named{"qmodel.pt", "an HQQ model, as a pickle"},
    Named{".mlpackage", "a Core ML model"},
};
constexpr std::array kMethodKinds = {
    Named{"fp8", "FP8"},           Named{"fbgemm_fp8", "FP8 (FBGEMM)"},
    Named{"mxfp4", "MXFP4"},       Named{"exl2", "EXL2"},
    Named{"exl3", "EXL3"},         Named{"aqlm", "AQLM"},
    Named{"quip", "QuIP#"},        Named{"vptq", "VPTQ"},
    Named{"higgs", "HIGGS"},       Named{"eetq", "EETQ"},
    Named{"quanto", "Quanto"},     Named{"quark", "Quark"},
    Named{"modelopt", "ModelOpt"}, Named{"bitnet", "BitNet"},
};

[[noreturn]] void refuse(const std::string& path, std::string_view what, std::string_view fix) {
  throw Error(ErrorKind::kUnsupported, cat(path, ": ", what), fix);
}

std::string_view view_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool is_printable(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte != 0x7F) || c == '\n' || c == '\r' || c == '\t' || c == '\f';
}

// A safetensors file begins with the length of its header in eight bytes, of which the lowest may
// be those that another kind begins with and the upper four are 0; a brace follows.
bool is_safetensors(std::string_view begin) {
  return begin.size() > 8 && begin.substr(4, 5) == std::string_view("\0\0\0\0{", 5);
}

// No container begins like this: their first bytes are numbers with zeros in them.
bool is_text(std::string_view begin) {
  if (begin.starts_with("\xFF\xFE") || begin.starts_with("\xFE\xFF")) return true;  // UTF-16
  return begin.size() >= 4 && std::all_of(begin.begin(), begin.end(), is_printable);
}

void refuse_text(const std::string& path, std::string_view begin) {
  if (!is_text(begin)) return;
  const auto first = begin.find_first_not_of(" \t\r\n");
  const std::string_view inside = first == begin.npos ? "" : begin.substr(first);
  if (inside.starts_with("<!") || inside.starts_with("<html"))
    refuse(path, "is a web page, not a model: a download that went wrong?", "download it again");
  if (inside.starts_with('{') || inside.starts_with('['))
    refuse(path, "is a JSON file, not a model", "name the folder that it lies in");
  refuse(path, "is a text, not a model",
         cat(kWhatModelIs, "; texts are given with --file or --calib"));
}

bool ends_with_any(const CheckpointReader& reader, std::string_view ending) {
  const auto tensors = reader.tensors();
  return std::any_of(tensors.begin(), tensors.end(),
                     [&](const TensorInfo& info) { return info.name.ends_with(ending); });
}

void refuse_foreign_gguf(const std::string& path, const GgufMetadata& metadata) {
  const std::string type = metadata.text("general.type", 256).value_or("");
  const std::string architecture = metadata.text("general.architecture", 256).value_or("");
  const bool measured = type == "imatrix" || architecture == "imatrix";
  if (measured &&
      metadata.text(kPassportKey).value_or("").find(kStatisticsMark) != std::string::npos)
    refuse(path, "holds statistics of nibble calibrate, not a model",
           "name the model; the statistics go behind --stats");
  if (measured) refuse(path, "is an importance matrix (imatrix), not a model", kImatrixFix);
  if (type == "adapter")
    refuse(path, "is a LoRA adapter, not a model",
           "merge its Hugging Face form into its base with PEFT, and convert the result");
  if (type == "mmproj" || architecture == "clip")
    refuse(path, "is the projector of a model that sees or hears, not a model",
           "name the GGUF file of the language model");
  if (architecture == "controlvector")
    refuse(path, "is a control vector, not a model", kWhatModelIs);
}

}  // namespace

// The number of entries, then length and name of the first.
bool is_importance_matrix(std::span<const std::byte> file) {
  const std::string_view begin = view_of(file.first(std::min<std::size_t>(file.size(), 512)));
  if (begin.size() < 12) return false;
  std::uint32_t entries = 0, length = 0;
  std::memcpy(&entries, begin.data(), 4);
  std::memcpy(&length, begin.data() + 4, 4);
  if (entries == 0 || entries > 1'000'000 || length == 0 || length > 256) return false;
  const std::string_view name = begin.substr(8, length);
  return name.size() == length && name.ends_with(".weight") &&
         std::all_of(name.begin(), name.end(), is_printable);
}

void refuse_foreign_file(const MappedFile& file) {
  const std::string path = file.path().string();
  const std::string_view begin = view_of(file.bytes()).substr(0, 4096);
  if (is_safetensors(begin)) return;
  for (const Kind& kind : kFileKinds)
    if (begin.starts_with(kind.magic)) refuse(path, kind.what, kind.fix);
  if (is_importance_matrix(file.bytes()))
    refuse(path, "is an importance matrix (imatrix.dat), not a model", kImatrixFix);
  refuse_text(path, begin);
}

void refuse_foreign_folder(const fs::path& folder, const std::vector<std::string>& names,
                           bool no_weights) {
  const auto has = [&](std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (has("adapter_config.json") && !has("config.json")) {
    const Json config = read_json(folder / "adapter_config.json", 1u << 20);
    const std::string kind = json_string(config, "peft_type", "");
    const std::string base = json_string(config, "base_model_name_or_path", "");
    refuse(folder.string(),
           cat("holds ", kind == "LORA" ? "a LoRA" : "an", " adapter (PEFT)",
               base.empty() ? "" : cat(" for \"", base, "\""), ", not a model"),
           kMergeFix);
  }
  if (!no_weights) return;
  for (const Named& kind : kFolderKinds)
    for (const std::string& name : names)
      if (kind.name.front() == '.' ? name.ends_with(kind.name) : name == kind.name)
        refuse(folder.string(), cat("holds ", kind.what, " (", name, "), which is not read"),
               kWhatModelIs);
}

void refuse_foreign_tensors(const CheckpointReader& reader) {
  const std::string path = reader.files().empty() ? "" : reader.files().front().string();
  if (const GgufMetadata* metadata = reader.gguf()) return refuse_foreign_gguf(path, *metadata);
  if (ends_with_any(reader, ".lora_A.weight") && ends_with_any(reader, ".lora_B.weight"))
    refuse(path, "holds a LoRA adapter, not a model", kMergeFix);
}

void refuse_foreign_quantization(const Json& config) {
  const std::string method = json_string(config, "quant_method", "");
  if (method.empty())
    throw Error(ErrorKind::kUnsupported,
                "\"quantization_config\" does not say which method it is of (quant_method)",
                kOriginalFix);
  std::string_view known;
  for (const Named& kind : kMethodKinds)
    if (kind.name == method) known = kind.what;
  throw Error(ErrorKind::kUnsupported,
              known.empty() ? cat("the model is quantized by a method that is not known here, \"",
                                  method.substr(0, 100), "\"")
                            : cat("the model is quantized with ", known, ", which is not read"),
              kOriginalFix);
}

}  // namespace nibble
