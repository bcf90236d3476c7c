#include "model/gguf/model_of.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/text.h"
#include "checkpoint/byte_reader.h"
#include "checkpoint/gguf_metadata.h"
#include "checkpoint/gguf_vocabulary.h"
#include "model/gguf/config.h"
#include "model/gguf/model_of_file.h"
#include "model/gguf/names.h"
#include "model/gguf/vocabulary_of.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr const char* kRemedy = "write a folder instead (--layout gptq)";
constexpr const char* kDivisors = "rope_freqs.weight";

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorKind::kUnsupported, what, kRemedy);
}

class Describer {
 public:
  Describer(const ModelSource& source, std::vector<std::string>& notes)
      : source_(source), hyper_(source.hyper()), notes_(notes), prefix_(arch() + ".") {
    if (arch().empty()) refuse(cat("GGUF has no name for the architecture ", source.spec().name));
  }

  GgufModel run(const std::vector<TensorInfo>& output) {
    put_numbers();
    put_rope();
    put_tokenizer();
    for (const TensorInfo& info : output) put_tensor(info);
    put_divisors();
    compare(read_back());
    return std::move(model_);
  }

 private:
  std::string arch() const { return std::string(source_.spec().gguf_name); }

  void number(std::string_view key, std::size_t value) {
    model_.pairs.u32(prefix_ + std::string(key), static_cast<std::uint32_t>(value));
  }
  void real(std::string_view key, double value) {
    model_.pairs.f32(prefix_ + std::string(key), static_cast<float>(value));
  }

  void put_numbers() {
    model_.pairs.text("general.architecture", arch()).text("general.type", "model");
    const std::string name = std::filesystem::absolute(source_.folder()).filename().string();
    if (is_valid_utf8(name) && !name.empty()) model_.pairs.text("general.name", name);
    number("context_length", hyper_.context);
    number("embedding_length", hyper_.hidden);
    number("block_count", hyper_.layers);
    number("feed_forward_length", hyper_.mlp_hidden);
    number("attention.head_count", hyper_.heads);
    number("attention.head_count_kv", hyper_.kv_heads);
    number("attention.key_length", hyper_.head_dim);
    number("attention.value_length", hyper_.head_dim);
    real("attention.layer_norm_rms_epsilon", hyper_.norm_epsilon);
    number("vocab_size", hyper_.vocabulary);
    const std::size_t window = *std::max_element(hyper_.windows.begin(), hyper_.windows.end());
    if (window != 0 && source_.spec().default_window_theta != 0)
      number("attention.sliding_window", window);
  }

  void put_rope() {
    const Rope& rope = hyper_.rope;
    number("rope.dimension_count", hyper_.head_dim);
    real("rope.freq_base", rope.theta);
    if (rope.scaling != RopeScaling::kLinear && rope.scaling != RopeScaling::kYarn) return;
    const bool yarn = rope.scaling == RopeScaling::kYarn;
    model_.pairs.text(prefix_ + "rope.scaling.type", yarn ? "yarn" : "linear");
    real("rope.scaling.factor", rope.factor);
    if (!yarn) return;
    number("rope.scaling.original_context_length", static_cast<std::size_t>(rope.original_context));
    if (rope.beta_fast != 32) real("rope.scaling.yarn_beta_fast", rope.beta_fast);
    if (rope.beta_slow != 1) real("rope.scaling.yarn_beta_slow", rope.beta_slow);
  }

  // Where GGUF's lists do not say it all the whole file goes along, for readers that look for it.
  void put_tokenizer() {
    std::vector<std::string> differences;
    put_gguf_vocabulary(gguf_vocabulary_of(source_.folder(), hyper_.vocabulary, &differences),
                        model_.pairs);
    if (differences.empty()) return;
    const auto file = source_.folder() / "tokenizer.json";
    model_.pairs.text(kGgufTokenizerJson, read_file(file, GgufMetadata::kMaxText));
    notes_.push_back(
        cat("llama.cpp and other readers of the file will turn some texts into other "
            "tokens than this model's tokenizer does; nibble will not. ",
            differences.front()));
  }

  // Llama 3's scaling lies in the file as what each plain frequency is divided by.
  void put_divisors() {
    const Rope& rope = hyper_.rope;
    if (rope.scaling != RopeScaling::kLlama3) return;
    Rope plain = rope;
    plain.scaling = RopeScaling::kNone;
    const auto before = rope_frequencies(plain, hyper_.head_dim);
    for (std::size_t i = 0; i < before.size(); ++i)
      divisors_.push_back(static_cast<float>(before[i] / rope.frequencies[i]));
    std::vector<std::byte> bytes(divisors_.size() * sizeof(float));
    std::memcpy(bytes.data(), divisors_.data(), bytes.size());
    model_.own.push_back(
        {{kDivisors, DType::kF32, {static_cast<std::int64_t>(divisors_.size())}, bytes.size()},
         std::move(bytes)});
  }

  // The name as most checkpoints have it: "model.layers.3.mlp.up_proj.weight".
  std::string usual_name(const std::string& name) const {
    const TensorNames& names = source_.names();
    if (name.starts_with(names.head() + ".")) return "lm_head" + name.substr(names.head().size());
    return name.starts_with(names.prefix()) ? "model." + name.substr(names.prefix().size()) : name;
  }

  void put_tensor(const TensorInfo& original) {
    std::string usual = usual_name(original.name);
    const bool is_head = usual.starts_with("lm_head.");
    if (usual.ends_with("rotary_emb.inv_freq") ||  // a buffer that older programs saved
        (is_head && hyper_.tied_head &&
         has_module(source_.checkpoint(), source_.names().embedding()))) {
      model_.left_out.push_back(original.name);
      return;
    }
    if (is_head && hyper_.tied_head) usual = "model.embed_tokens.weight";
    GgufTensor tensor{original.name, original, original, {}, 0};
    tensor.info.name = gguf_tensor_name(usual, source_.spec().output_norms);
    if (tensor.info.name.empty())
      refuse(cat("tensor \"", original.name, "\" has no name in a GGUF file"));
    if (original.shape.size() == 1) {
      tensor.info.dtype = DType::kF32;
      tensor.info.bytes = static_cast<std::uint64_t>(original.shape.front()) * sizeof(float);
    }
    const bool is_norm = usual.ends_with("norm.weight");
    if (is_norm) tensor.added = source_.gain_offset();
    const bool rotated = usual.find("self_attn.q_proj.") != usual.npos ||
                         usual.find("self_attn.k_proj.") != usual.npos;
    if (rotated && source_.spec().gguf_pairs_rows)
      tensor.row_of =
          rows_in_pairs(static_cast<std::size_t>(original.shape.front()), hyper_.head_dim);
    model_.tensors.push_back(std::move(tensor));
  }

  // As much of a file as decides what its reader takes it for.
  class Header final : public CheckpointReader {
   public:
    explicit Header(const GgufModel& model) : pairs_(model.pairs.bytes()) {
      ByteReader reader(std::as_bytes(std::span(pairs_)));
      metadata_ = GgufMetadata::read(reader, model.pairs.count());
      for (const GgufTensor& tensor : model.tensors) {
        tensors_.push_back(tensor.info);
        const std::string name = hf_tensor_name(tensor.info.name, false);
        if (!name.empty()) tensors_.back().name = name;
      }
      std::sort(tensors_.begin(), tensors_.end(),
                [](const TensorInfo& a, const TensorInfo& b) { return a.name < b.name; });
    }
    std::span<const TensorInfo> tensors() const override { return tensors_; }
    std::span<const std::byte> bytes(const TensorInfo&) const override { return {}; }
    void drop(const TensorInfo&) const override {}
    std::vector<std::filesystem::path> files() const override { return {}; }
    const GgufMetadata* gguf() const override { return &metadata_; }

   private:
    std::string pairs_;
    GgufMetadata metadata_;
    std::vector<TensorInfo> tensors_;
  };

  HyperParams read_back() const {
    const Json config = gguf_config(Header(model_));
    return read_hyper_params(config, find_spec(config));
  }

  void compare(const HyperParams& read) const {
    const auto same = [&](std::string_view what, double own, double other) {
      if (std::fabs(own - other) > 1e-6 * std::fabs(own))
        refuse(cat("a GGUF file of architecture ", arch(), " cannot say that ", what, " is ", own,
                   ": its readers take ", other));
    };
    same("the size of a head", static_cast<double>(hyper_.head_dim),
         static_cast<double>(read.head_dim));
    same("the scale of scores", hyper_.attention_scale, read.attention_scale);
    same("the scale of embeddings", hyper_.embedding_scale, read.embedding_scale);
    same("the norms' epsilon", hyper_.norm_epsilon, read.norm_epsilon);
    if (hyper_.activation != read.activation)
      refuse(cat("a GGUF file of architecture ", arch(), " has another activation"));
    compare_rope("rope", hyper_.rope, read.rope, divisors_);
    if (hyper_.windows == read.windows) {
      if (source_.spec().default_window_theta != 0)
        compare_rope("the windows' rope", hyper_.window_rope, read.window_rope, {});
      return;
    }
    const std::size_t window = *std::max_element(hyper_.windows.begin(), hyper_.windows.end());
    if (source_.spec().default_window_theta != 0)
      refuse("the layers with windows are not those that GGUF's readers expect");
    notes_.push_back(cat("a GGUF file of architecture ", arch(), " cannot say that layers see ",
                         window,
                         " tokens only: texts that are longer give other results, in "
                         "nibble too"));
  }

  void compare_rope(std::string_view what, const Rope& own, const Rope& other,
                    std::span<const float> divisors) const {
    bool same = std::fabs(own.attention_factor - other.attention_factor) <= 1e-5;
    for (std::size_t i = 0; same && i < own.frequencies.size(); ++i) {
      const double read =
          other.frequencies[i] / (divisors.empty() ? 1.0 : static_cast<double>(divisors[i]));
      same = std::fabs(own.frequencies[i] - read) <= 1e-5 * own.frequencies[i];
    }
    if (!same)
      refuse(cat("a GGUF file of architecture ", arch(), " cannot hold this model's ", what,
                 " (position embedding)"));
  }

  const ModelSource& source_;
  const HyperParams& hyper_;
  std::vector<std::string>& notes_;
  std::string prefix_;
  std::vector<float> divisors_;
  GgufModel model_;
};

}  // namespace

GgufModel gguf_model_of(const ModelSource& source, const std::vector<TensorInfo>& output,
                        std::vector<std::string>& notes) {
  if (source.checkpoint().gguf() != nullptr) return gguf_model_of_file(source, output);
  return Describer(source, notes).run(output);
}

}  // namespace nibble
