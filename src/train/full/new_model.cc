#include "train/full/new_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <vector>

#include "base/exact_normal.h"
#include "base/files.h"
#include "base/parallel.h"
#include "base/random.h"
#include "base/text.h"
#include "checkpoint/plain_folder.h"
#include "kernels/kernels.h"
#include "model/block.h"
#include "nibble/error.h"
#include "nibble/tokenizer.h"
#include "quantize/passport.h"

namespace nibble {
namespace {

constexpr double kDeviation = 0.02;
constexpr std::uint64_t kMaxSideFileBytes = 256ull << 20;
constexpr std::size_t kRows = 64;

[[noreturn]] void refuse(const std::string& message, std::string_view fix) {
  throw Error(ErrorKind::kInvalidArgument, message, fix);
}

// What is written here is all that such a model has.
bool is_plain(const ModelSpec& spec) {
  return !spec.always_qkv_bias && !spec.output_norms && !spec.gain_less_one &&
         !spec.scaled_embedding && spec.default_window_theta == 0;
}

const ModelSpec& spec_of(const std::string& name) {
  std::vector<std::string> known;
  for (const ModelSpec* spec : specs::all()) {
    if (!is_plain(*spec)) continue;
    if (name.empty() ? !spec->query_key_norm : spec->name == name) return *spec;
    known.emplace_back(spec->name);
  }
  throw Error(ErrorKind::kUnsupported,
              cat("new models of the architecture ", name, " are not made"),
              cat("choose from ", join(known, ", ")));
}

// One tensor: gains have no deviation.
struct NewTensor {
  TensorInfo info;
  double deviation = 0;

  std::size_t rows() const { return static_cast<std::size_t>(info.shape[0]); }
  std::size_t columns() const {
    return info.shape.size() == 1 ? 1 : static_cast<std::size_t>(info.shape[1]);
  }
};

// A seed for each row of each tensor, so that rows can be made in any order.
std::uint64_t seed_of(const std::string& tensor, std::size_t row, std::uint64_t seed) {
  std::uint64_t mixed = seed;
  for (const char c : tensor) mixed = Random(mixed ^ static_cast<unsigned char>(c)).bits();
  return Random(mixed ^ row).bits();
}

class Maker {
 public:
  explicit Maker(const NewModelOptions& options)
      : options_(options), spec_(spec_of(options.architecture)) {
    if (options.dtype != DType::kF32 && options.dtype != DType::kBF16)
      throw Error(ErrorKind::kUnsupported,
                  cat("new models are not made in ", nibble::name(options.dtype)),
                  "take F32 or BF16");
    fill_in();
    tokenizer_ = Tokenizer::open(options.tokenizer);
    config_ = config();
    // A window that nobody asked for would cut the context.
    const HyperParams read = read_hyper_params(config_, spec_);
    if (read.windows != std::vector<std::size_t>(read.layers, 0))
      throw Error(ErrorKind::kUnsupported,
                  cat("new models of the architecture ", spec_.name, " would have windows"));
    list_tensors();
  }

  const NewModel& plan() const { return plan_; }

  void write(const std::filesystem::path& output, const ProgressSink& progress) const {
    const bool in_folder = std::filesystem::is_directory(options_.tokenizer);
    OutputModel model;
    model.inputs = {options_.tokenizer};
    if (in_folder) model.source = options_.tokenizer;
    model.side_files = side_files(in_folder);
    model.config = &config_;
    for (const NewTensor& tensor : tensors_) model.tensors.push_back(tensor.info);
    const auto writer = create_plain_folder(output, model, {.replace = options_.replace});
    double done = 0;
    for (const NewTensor& tensor : tensors_) {
      throw_if_stopped();
      if (progress) progress({"Weights", tensor.info.name, done, static_cast<double>(plan_.bytes)});
      writer->add(tensor.info.name, values(tensor));
      done += static_cast<double>(tensor.info.bytes);
    }
    if (progress) progress({"Weights", "", done, done});
    writer->finish(passport());
  }

 private:
  void fill_in() {
    NewModelOptions& o = options_;
    if (o.hidden == 0 || o.layers == 0 || o.heads == 0)
      refuse("a model has one layer, one head and one hidden value at least",
             "give numbers above 0");
    if (o.kv_heads == 0) o.kv_heads = o.heads;
    if (o.heads % o.kv_heads != 0)
      refuse(cat(o.heads, " heads do not share ", o.kv_heads, " key-value heads evenly"),
             cat("give a divisor of ", o.heads));
    if (o.head_dim == 0 && o.hidden % o.heads != 0)
      refuse(cat(o.heads, " heads do not divide ", o.hidden, " hidden values"),
             "change one of them, or say how long a head is");
    if (o.head_dim == 0) o.head_dim = o.hidden / o.heads;
    if (o.head_dim % 2 != 0)
      refuse(cat("a head of ", o.head_dim, " values cannot be turned in pairs"),
             "its length must be even");
    if (o.mlp_hidden == 0) o.mlp_hidden = (o.hidden * 8 / 3 + 31) / 32 * 32;
    if (o.context < 2) refuse(cat("a context of ", o.context, " tokens"), "give 2 or more");
  }

  Json config() const {
    const NewModelOptions& o = options_;
    const auto id = [](std::optional<std::int32_t> token) {
      return token ? Json(*token) : Json(nullptr);
    };
    return {{"architectures", {spec_.hf_class}},
            {"model_type", spec_.hf_type.empty() ? spec_.name : spec_.hf_type},
            {"vocab_size", tokenizer_->vocabulary_size()},
            {"hidden_size", o.hidden},
            {"intermediate_size", o.mlp_hidden},
            {"num_hidden_layers", o.layers},
            {"num_attention_heads", o.heads},
            {"num_key_value_heads", o.kv_heads},
            {"head_dim", o.head_dim},
            {"max_position_embeddings", o.context},
            {"rope_theta", o.rope_theta},
            {"rms_norm_eps", o.norm_epsilon},
            {spec_.activation_key, spec_.default_activation},
            {"attention_bias", false},
            {"mlp_bias", false},
            {"attention_dropout", 0.0},
            {"initializer_range", kDeviation},
            {"tie_word_embeddings", o.tied_head},
            {"bos_token_id", id(tokenizer_->bos())},
            {"eos_token_id", id(tokenizer_->eos())},
            {"torch_dtype", o.dtype == DType::kF32 ? "float32" : "bfloat16"}};
  }

  void add(std::string name, std::vector<std::size_t> shape, double deviation) {
    NewTensor tensor;
    tensor.info.name = std::move(name) + ".weight";
    tensor.info.dtype = options_.dtype;
    std::uint64_t values = 1;
    for (const std::size_t size : shape) {
      tensor.info.shape.push_back(static_cast<std::int64_t>(size));
      values *= size;
    }
    tensor.info.bytes = values * static_cast<std::uint64_t>(bits(options_.dtype)) / 8;
    tensor.deviation = deviation;
    plan_.parameters += values;
    plan_.bytes += tensor.info.bytes;
    tensors_.push_back(std::move(tensor));
  }

  void list_tensors() {
    const NewModelOptions& o = options_;
    plan_.vocabulary = static_cast<std::size_t>(tokenizer_->vocabulary_size());
    const double added = kDeviation / std::sqrt(2.0 * static_cast<double>(o.layers));
    const std::size_t all_heads = o.heads * o.head_dim, all_kv = o.kv_heads * o.head_dim;
    add("model.embed_tokens", {plan_.vocabulary, o.hidden}, kDeviation);
    for (std::size_t layer = 0; layer < o.layers; ++layer) {
      const std::string base = cat("model.layers.", layer, ".");
      const auto linear = [&](Role role, std::size_t outputs, std::size_t inputs,
                              double deviation) {
        add(cat(base, module_name(role)), {outputs, inputs}, deviation);
      };
      add(base + "input_layernorm", {o.hidden}, 0);
      linear(Role::kQuery, all_heads, o.hidden, kDeviation);
      linear(Role::kKey, all_kv, o.hidden, kDeviation);
      linear(Role::kValue, all_kv, o.hidden, kDeviation);
      if (spec_.query_key_norm) {
        add(base + "self_attn.q_norm", {o.head_dim}, 0);
        add(base + "self_attn.k_norm", {o.head_dim}, 0);
      }
      linear(Role::kOutput, o.hidden, all_heads, added);
      add(base + "post_attention_layernorm", {o.hidden}, 0);
      linear(Role::kGate, o.mlp_hidden, o.hidden, kDeviation);
      linear(Role::kUp, o.mlp_hidden, o.hidden, kDeviation);
      linear(Role::kDown, o.hidden, o.mlp_hidden, added);
    }
    add("model.norm", {o.hidden}, 0);
    if (!o.tied_head) add("lm_head", {plan_.vocabulary, o.hidden}, kDeviation);
  }

  std::vector<std::byte> values(const NewTensor& tensor) const {
    const std::size_t columns = tensor.columns();
    const std::size_t row_bytes = columns * static_cast<std::size_t>(bits(options_.dtype)) / 8;
    std::vector<std::byte> bytes(tensor.info.bytes);
    parallel_ranges(tensor.rows(), kRows, [&](std::size_t begin, std::size_t end) {
      std::vector<float> row(columns, 1.0f);
      for (std::size_t r = begin; r < end; ++r) {
        if (tensor.deviation != 0) {
          ExactNormal normal(seed_of(tensor.info.name, r, options_.seed));
          for (float& value : row) value = static_cast<float>(tensor.deviation * normal.next());
        }
        std::byte* const out = bytes.data() + r * row_bytes;
        if (options_.dtype == DType::kF32)
          std::memcpy(out, row.data(), row_bytes);
        else
          kernels().float_to_bfloat16(row.data(), reinterpret_cast<std::uint16_t*>(out), columns);
      }
    });
    return bytes;
  }

  // A model's own generation settings say nothing about a new one.
  std::vector<SideFile> side_files(bool in_folder) const {
    Json generation = Json::object();
    if (tokenizer_->bos()) generation["bos_token_id"] = *tokenizer_->bos();
    if (tokenizer_->eos()) generation["eos_token_id"] = *tokenizer_->eos();
    std::vector<SideFile> files = {{"generation_config.json", generation.dump(2) + "\n"}};
    if (in_folder) return files;
    files.push_back({"tokenizer.json", read_file(options_.tokenizer, kMaxSideFileBytes)});
    for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"})
      if (const auto beside = options_.tokenizer.parent_path() / name; fs::exists(beside))
        files.push_back({name, read_file(beside, kMaxSideFileBytes)});
    return files;
  }

  Json passport() const {
    const NewModelOptions& o = options_;
    const auto files = std::filesystem::is_directory(o.tokenizer)
                           ? tokenizer_files(o.tokenizer)
                           : std::vector<std::filesystem::path>{o.tokenizer};
    return {{"schema", "nibble.passport/1"},
            {"version", NIBBLE_VERSION},
            {"base", Json::object()},
            {"tokenizer", hash_files(files)},
            {"calibration", nullptr},
            {"recipe", Json::object()},
            {"modules", Json::array()},
            {"new_model", {{"seed", o.seed}, {"parameters", plan_.parameters}}}};
  }

  NewModelOptions options_;
  const ModelSpec& spec_;
  std::unique_ptr<Tokenizer> tokenizer_;
  Json config_;
  std::vector<NewTensor> tensors_;
  NewModel plan_;
};

}  // namespace

NewModel plan_new_model(const NewModelOptions& options) { return Maker(options).plan(); }

NewModel make_new_model(const std::filesystem::path& output, const NewModelOptions& options,
                        const ProgressSink& progress) {
  const Maker maker(options);
  maker.write(output, progress);
  return maker.plan();
}

}  // namespace nibble
