#include "model/gguf/folder_of_file.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/files.h"
#include "base/text.h"
#include "checkpoint/gguf_metadata.h"
#include "checkpoint/gguf_vocabulary.h"
#include "model/gguf/config.h"
#include "model/gguf/llama3_scaling.h"
#include "model/gguf/names.h"
#include "model/gguf/tokenizer_json.h"
#include "model/open_tokenizer.h"
#include "nibble/error.h"
#include "nn/dense_linear.h"

namespace nibble {
namespace {

constexpr std::string_view kDivisors = "rope_freqs.weight";

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorKind::kUnsupported, what, "write a GGUF file instead (name the output X.gguf)");
}

// The number that was written as float32: 1e-05, not 9.999999747378752e-06.
double as_written(double value) { return std::stod(fmt::format("{}", static_cast<float>(value))); }

// Of most matrices; blocks that nothing quantizes become F16.
std::string usual_type(const ModelSource& source) {
  std::map<DType, std::uint64_t> bytes;
  for (const TensorInfo& info : source.checkpoint().tensors())
    if (info.shape.size() == 2)
      bytes[info.blocks != nullptr ? DType::kF16 : info.dtype] += info.bytes;
  const auto most = std::max_element(
      bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most->first == DType::kF32) return "float32";
  return most->first == DType::kF16 ? "float16" : "bfloat16";
}

void put_biases(const ModelSource& source, Json& config) {
  const ModelSpec& spec = source.spec();
  const HyperParams& hyper = source.hyper();
  const bool all = spec.optional_attention_bias;
  if (hyper.output_bias != (all && hyper.qkv_bias) ||
      (!all && hyper.qkv_bias != spec.always_qkv_bias))
    refuse(cat("the biases on q, k, v and o are not those of ", spec.hf_class,
               ": a config.json asks for all of them or for none"));
  if (hyper.mlp_bias && !spec.optional_mlp_bias)
    refuse(cat(spec.hf_class, " has no biases in its MLP"));
  if (all) config["attention_bias"] = hyper.qkv_bias;
  if (spec.optional_mlp_bias) config["mlp_bias"] = hyper.mlp_bias;
}

void put_rope(const ModelSource& source, Json& config) {
  config["rope_theta"] = as_written(source.hyper().rope.theta);
  const auto divisors = gguf_rope_divisors(source.checkpoint(), source.hyper().head_dim);
  if (divisors.empty()) return;
  if (!config["rope_scaling"].is_null())
    refuse("the file scales its rope by metadata and by rope_freqs.weight at once");
  const auto scaling = llama3_scaling_of(divisors, source.hyper().rope.theta);
  if (!scaling)
    refuse("rope_freqs.weight scales the rope in no way that config.json has a name for");
  config["rope_scaling"] = {
      {"rope_type", "llama3"},
      {"factor", scaling->factor},
      {"low_freq_factor", scaling->low_freq_factor},
      {"high_freq_factor", scaling->high_freq_factor},
      {"original_max_position_embeddings", std::llround(scaling->original_context)}};
}

// The model that the folder's readers will see is the one that the file's see.
void compare(const ModelSource& source, const Json& config) {
  const HyperParams& own = source.hyper();
  const HyperParams read = read_hyper_params(config, find_spec(config));
  const auto same_rope = [](const Rope& a, const Rope& b) {
    bool same = std::fabs(a.attention_factor - b.attention_factor) <= 1e-6;
    for (std::size_t i = 0; i < a.frequencies.size(); ++i)
      same &= std::fabs(a.frequencies[i] - b.frequencies[i]) <= 1e-5 * a.frequencies[i];
    return same;
  };
  if (&find_spec(config) != &source.spec() || own.windows != read.windows ||
      own.head_dim != read.head_dim || own.activation != read.activation ||
      own.attention_scale != read.attention_scale || own.embedding_scale != read.embedding_scale ||
      own.norm_epsilon != read.norm_epsilon || own.tied_head != read.tied_head)
    refuse("a config.json cannot say what this file's metadata say");
  if (!same_rope(own.rope, read.rope) ||
      (source.spec().default_window_theta != 0 && !same_rope(own.window_rope, read.window_rope)))
    refuse("a config.json cannot say this file's rope (position embedding)");
}

Json config_of(const ModelSource& source) {
  Json config = source.config();
  config["rms_norm_eps"] = as_written(config["rms_norm_eps"].get<double>());
  config[source.spec().activation_key] = source.spec().default_activation;
  config["torch_dtype"] = usual_type(source);
  put_biases(source, config);
  put_rope(source, config);
  // An architecture that scales embeddings reads this one, too, and has its own default for it.
  const double scale = static_cast<double>(source.hyper().attention_scale);
  if (source.spec().scaled_embedding)
    config["query_pre_attn_scalar"] = std::llround(1 / (scale * scale));
  else
    config.erase("query_pre_attn_scalar");
  if (Json& eos = config["eos_token_id"]; eos.is_array() && eos.size() == 1) eos = Json(eos[0]);
  compare(source, config);
  return config;
}

// {"temperature": 0.7} and the like, where the file recommends them.
Json generation_config_of(const GgufMetadata& metadata, const GgufVocabulary* vocabulary,
                          const Json& config) {
  Json json = Json::object();
  for (const char* key : {"bos_token_id", "eos_token_id"})
    if (config.contains(key) && !config[key].is_null()) json[key] = config[key];
  if (vocabulary != nullptr && vocabulary->pad) json["pad_token_id"] = *vocabulary->pad;
  bool sampled = false;
  if (const auto count = metadata.integer("general.sampling.top_k", 0, 1 << 24)) {
    json["top_k"] = *count;
    sampled = true;
  }
  for (const auto& [key, name] : std::array<std::pair<const char*, const char*>, 4>{
           {{"temp", "temperature"},
            {"top_p", "top_p"},
            {"min_p", "min_p"},
            {"penalty_repeat", "repetition_penalty"}}})
    if (const auto value = metadata.number(cat("general.sampling.", key), 0, 100)) {
      json[name] = as_written(*value);
      sampled = true;
    }
  if (sampled) json["do_sample"] = true;
  return json;
}

// A file may have templates beside the default one, for tools and the like: by name.
void put_named_templates(const GgufMetadata& metadata, Json& config) {
  const auto names = metadata.texts("tokenizer.chat_templates", 64);
  if (!names || names->empty()) return;
  Json list = Json::array();
  if (config.contains("chat_template"))
    list.push_back({{"name", "default"}, {"template", config["chat_template"]}});
  for (const std::string& name : *names) {
    const auto text = metadata.text(cat("tokenizer.chat_template.", name));
    if (!text) continue;
    if (!is_valid_utf8(name) || !is_valid_utf8(*text))
      throw Error(ErrorKind::kCorruptFile, "a chat template or its name is not well-formed UTF-8");
    if (name != "default") list.push_back({{"name", name}, {"template", *text}});
  }
  config["chat_template"] = std::move(list);
}

// One beside the file with the same tokens is taken as it is, and so is what stands beside that.
void put_tokenizer(const ModelSource& source, const GgufVocabulary& vocabulary,
                   std::vector<SideFile>& files, std::vector<std::string>& notes) {
  std::string text;
  Json config = tokenizer_config_of(vocabulary, source.hyper().context);
  put_named_templates(*source.checkpoint().gguf(), config);
  if (const auto beside = tokenizer_beside(source.checkpoint().files().front(), vocabulary);
      !beside.empty()) {
    text = read_file(beside, GgufMetadata::kMaxText);
    const auto settings = beside.parent_path() / "tokenizer_config.json";
    if (fs::exists(settings)) {
      const Json own = std::exchange(config, read_json(settings));
      if (own.contains("chat_template")) config["chat_template"] = own["chat_template"];
    }
  } else if (auto whole = source.checkpoint().gguf()->text(kGgufTokenizerJson)) {
    text = std::move(*whole);
  } else {
    std::vector<std::string> differences;
    text = tokenizer_json_of(vocabulary, differences);
    if (!differences.empty())
      notes.push_back(
          cat("the folder's tokenizer will turn some texts into other tokens than the "
              "GGUF file's: pieces of equal score have no order there. ",
              differences.front()));
  }
  files.push_back({"tokenizer.json", std::move(text)});
  files.push_back({"tokenizer_config.json", config.dump(2) + "\n"});
}

bool gain_is_less(const ModelSource& source, const TensorInfo& info) {
  return source.spec().gain_less_one && info.name.ends_with("norm.weight");
}

}  // namespace

FolderOfFile folder_of_gguf(const ModelSource& source, std::vector<std::string>& notes) {
  const GgufMetadata& metadata = *source.checkpoint().gguf();
  return with_context(source.checkpoint().files().front().string(), [&] {
    FolderOfFile folder;
    folder.config = config_of(source);
    std::optional<GgufVocabulary> vocabulary;
    if (metadata.has("tokenizer.ggml.tokens")) {
      vocabulary = read_gguf_vocabulary(metadata);
      put_tokenizer(source, *vocabulary, folder.files, notes);
    } else {
      notes.emplace_back("the file has no tokenizer: the folder gets none");
    }
    const Json generation =
        generation_config_of(metadata, vocabulary ? &*vocabulary : nullptr, folder.config);
    if (!generation.empty())
      folder.files.push_back({"generation_config.json", generation.dump(2) + "\n"});
    return folder;
  });
}

bool left_out_of_folder(const TensorInfo& info) {
  if (info.name == kDivisors) return true;
  if (gguf_tensor_name(info.name, true).empty() && gguf_tensor_name(info.name, false).empty())
    refuse(cat("tensor \"", info.name, "\" has no name in a Hugging Face folder"));
  return false;
}

TensorInfo folder_info(const ModelSource& source, const TensorInfo& info) {
  TensorInfo own = info;
  if (!gain_is_less(source, info)) return own;
  own.dtype = DType::kF32;
  own.bytes = static_cast<std::uint64_t>(info.shape.front()) * sizeof(float);
  return own;
}

std::span<const std::byte> folder_bytes(const ModelSource& source, const TensorInfo& info,
                                        std::span<const std::byte> bytes,
                                        std::vector<std::byte>& room) {
  if (!gain_is_less(source, info)) return bytes;
  const auto count = static_cast<std::size_t>(info.shape.front());
  std::vector<std::byte> less(count * sizeof(float));
  const auto row = dense_linear(bytes, info.dtype, 1, count);
  std::vector<float> values(count);
  row->decode(0, Matrix(values.data(), 1, count));
  for (float& value : values) value -= 1;
  std::memcpy(less.data(), values.data(), less.size());
  room = std::move(less);
  return room;
}

}  // namespace nibble
