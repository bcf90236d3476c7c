#include "model/adapter/adapter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/files.h"
#include "base/json.h"
#include "base/regex/regex.h"
#include "base/text.h"
#include "nibble/checkpoint.h"
#include "nibble/error.h"
#include "nn/dense_linear.h"

namespace nibble {
namespace {

constexpr std::string_view kPrefix = "base_model.model.";
constexpr std::uint64_t kRegexSteps = 1'000'000;

[[noreturn]] void unsupported(const std::string& what) {
  throw Error(ErrorKind::kUnsupported, what,
              "merge the adapter with PEFT (merge_and_unload) and use the merged model");
}

// What changes the meaning of the tensors. Keys that are not named here say how the adapter was
// made, and new ones come with every release.
void check_config(const Json& config) {
  if (!config.is_object()) throw Error(ErrorKind::kCorruptFile, "not an object");
  const std::string kind = json_string(config, "peft_type", "");
  if (kind != "LORA") unsupported(cat("peft_type is \"", kind, "\"; only LORA is read"));
  const auto set = [&](const char* key) {
    const auto found = config.find(key);
    return found != config.end() && !found->is_null() && *found != Json(false) &&
           !(found->is_structured() && found->empty());
  };
  for (const char* key :
       {"fan_in_fan_out", "use_qalora", "lora_bias", "layer_replication", "target_parameters",
        "alora_invocation_tokens", "use_bdlora", "trainable_token_indices", "modules_to_save"})
    if (set(key)) unsupported(cat("it sets \"", key, "\""));
  const auto bias = config.find("bias");
  if (bias != config.end() && bias->is_string() && *bias != "none")
    unsupported(cat("it has biases of its own (\"bias\": ", bias->dump(), ")"));
}

double number_of(const Json& config, const char* key) {
  const double found = json_number(config, key, 0);
  if (!(found > 0)) throw Error(ErrorKind::kCorruptFile, cat("\"", key, "\" is no number above 0"));
  return found;
}

// What a pattern says of a module, or else `otherwise`: the first that matches its end, at a dot.
double patterned(const Json& config, const char* key, const std::string& module, double otherwise) {
  const auto patterns = config.find(key);
  if (patterns == config.end() || patterns->is_null()) return otherwise;
  if (!patterns->is_object())
    throw Error(ErrorKind::kCorruptFile, cat("\"", key, "\" is no object"));
  for (const auto& [pattern, value] : patterns->items()) {
    std::uint64_t steps = kRegexSteps;
    const Regex regex(cat("(.*\\.)?(", pattern, ")$"), Regex::Syntax::kPython);
    if (!regex.matches_start(module, steps)) continue;
    if (!value.is_number())
      throw Error(ErrorKind::kCorruptFile, cat("\"", key, "\" of \"", pattern, "\" is no number"));
    return value.get<double>();
  }
  return otherwise;
}

enum class Part { kA, kB, kEmbeddingA, kEmbeddingB, kMagnitude, kBase };

struct PartName {
  std::string_view suffix;
  Part part;
};
constexpr std::array<PartName, 8> kParts = {{{".lora_A.weight", Part::kA},
                                             {".lora_B.weight", Part::kB},
                                             {".lora_embedding_A", Part::kEmbeddingA},
                                             {".lora_embedding_B", Part::kEmbeddingB},
                                             {".lora_magnitude_vector", Part::kMagnitude},
                                             {".lora_magnitude_vector.weight", Part::kMagnitude},
                                             // A copy of what the model has.
                                             {".base_layer.weight", Part::kBase},
                                             {".base_layer.bias", Part::kBase}}};

Tensor floats_of(const CheckpointReader& reader, const TensorInfo& info) {
  const bool vector = info.shape.size() == 1;
  if (info.blocks != nullptr || (info.shape.size() != 2 && !vector) || info.shape.front() <= 0 ||
      info.shape.back() <= 0)
    throw Error(ErrorKind::kCorruptFile,
                cat("tensor \"", info.name, "\" has shape ", list_text(info.shape)));
  const auto rows = vector ? 1 : static_cast<std::size_t>(info.shape[0]);
  Tensor out(rows, static_cast<std::size_t>(info.shape.back()));
  dense_linear(reader.bytes(info), info.dtype, out.rows(), out.columns())->decode(0, out.view());
  return out;
}

Tensor transposed(const Tensor& from) {
  Tensor out(from.columns(), from.rows());
  for (std::size_t r = 0; r < from.rows(); ++r)
    for (std::size_t c = 0; c < from.columns(); ++c) out.view()(c, r) = from.view()(r, c);
  return out;
}

void put(LowRank& layer, Part part, Tensor values) {
  switch (part) {
    case Part::kA:
      layer.a = std::move(values);
      break;
    case Part::kB:
      layer.b = std::move(values);
      break;
    // Rows of the embedding are what a token's column is here: (B·A)ᵀ = Aᵀ·Bᵀ.
    case Part::kEmbeddingA:
      layer.b = transposed(values);
      break;
    case Part::kEmbeddingB:
      layer.a = transposed(values);
      break;
    case Part::kMagnitude:
      layer.magnitude.assign(values.data(), values.data() + values.size());
      break;
    case Part::kBase:
      break;
  }
}

void add_tensor(Adapter& adapter, const CheckpointReader& reader, const TensorInfo& info) {
  const auto known = std::find_if(kParts.begin(), kParts.end(), [&](const PartName& part) {
    return info.name.ends_with(part.suffix);
  });
  if (!info.name.starts_with(kPrefix) || known == kParts.end())
    unsupported(cat("tensor \"", info.name, "\" is no part of a low-rank addition"));
  if (known->part == Part::kBase) return;
  const std::string module =
      info.name.substr(kPrefix.size(), info.name.size() - kPrefix.size() - known->suffix.size());
  std::shared_ptr<LowRank>& layer = adapter.layers[module];
  if (layer == nullptr) layer = std::make_shared<LowRank>();
  put(*layer, known->part, floats_of(reader, info));
}

// Once all of it is there.
void settle(const Json& config, const std::string& module, LowRank& layer) {
  if (layer.a.size() == 0 || layer.b.size() == 0)
    throw Error(ErrorKind::kCorruptFile,
                cat("module \"", module, "\" has only one of lora_A and lora_B"));
  if (layer.a.rows() != layer.b.columns())
    throw Error(ErrorKind::kCorruptFile, cat("module \"", module, "\": lora_A has rank ",
                                             layer.a.rows(), ", lora_B ", layer.b.columns()));
  const double rank = patterned(config, "rank_pattern", module, number_of(config, "r"));
  if (rank != static_cast<double>(layer.rank()))
    throw Error(ErrorKind::kCorruptFile, cat("module \"", module, "\" has rank ", layer.rank(),
                                             "; adapter_config.json says ", rank));
  const double alpha = patterned(config, "alpha_pattern", module, number_of(config, "lora_alpha"));
  layer.scale = adapter_scale(alpha, layer.rank(), json_bool(config, "use_rslora", false));
  if (json_bool(config, "use_dora", false) && layer.magnitude.empty())
    throw Error(ErrorKind::kCorruptFile,
                cat("module \"", module, "\" lacks the lora_magnitude_vector that DoRA has"));
  if (!layer.magnitude.empty() && layer.magnitude.size() != layer.b.rows())
    throw Error(ErrorKind::kCorruptFile,
                cat("module \"", module, "\" has ", layer.b.rows(), " outputs and ",
                    layer.magnitude.size(), " magnitudes"));
}

}  // namespace

std::string_view plain_module(std::string_view module) {
  const std::size_t layers = module.find("layers.");
  if (layers != module.npos) return module.substr(layers);
  const std::size_t dot = module.rfind('.');
  return dot == module.npos ? module : module.substr(dot + 1);
}

std::shared_ptr<const LowRank> Adapter::of(std::string_view module) const {
  const std::string_view wanted = plain_module(module);
  for (const auto& [name, layer] : layers)
    if (plain_module(name) == wanted) return layer;
  return nullptr;
}

float adapter_scale(double alpha, std::size_t rank, bool rank_stabilized) {
  const auto r = static_cast<double>(rank);
  return static_cast<float>(alpha / (rank_stabilized ? std::sqrt(r) : r));
}

Adapter read_adapter(const std::filesystem::path& folder) {
  Adapter adapter;
  adapter.folder = folder;
  const auto config_file = folder / "adapter_config.json";
  const auto weights = folder / "adapter_model.safetensors";
  if (!std::filesystem::exists(config_file))
    throw Error(ErrorKind::kNotFound, cat(config_file.string(), " does not exist"),
                "name the folder of a PEFT adapter, as `nibble finetune` writes it");
  const Json config = read_json(config_file);
  with_context(config_file.string(), [&] { check_config(config); });
  if (!std::filesystem::exists(weights) && std::filesystem::exists(folder / "adapter_model.bin"))
    throw Error(ErrorKind::kUnsupported,
                cat((folder / "adapter_model.bin").string(), " is a pickle file; only safetensors ",
                    "are read"),
                "save the adapter with PEFT: model.save_pretrained(OUT)");
  const auto reader = open_checkpoint(weights);
  with_context(weights.string(), [&] {
    for (const TensorInfo& info : reader->tensors()) add_tensor(adapter, *reader, info);
    if (adapter.layers.empty()) throw Error(ErrorKind::kCorruptFile, "it holds no tensor");
    for (const auto& [module, layer] : adapter.layers) settle(config, module, *layer);
  });
  return adapter;
}

}  // namespace nibble
