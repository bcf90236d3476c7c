// GGUF files run as the models they were made from.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "model/gguf/names.h"
#include "model/golden_model.h"
#include "model/transformer.h"
#include "nibble/error.h"
#include "nibble/tokenizer.h"
#include "support/error_text.h"
#include "support/gguf_file.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::error_kind;
using test::error_text;
using test::GgufFile;
using test::kGoldenModels;
using test::TempDir;

constexpr std::array kModules = {"attn_norm",   "attn_q",   "attn_k",      "attn_v",
                                 "attn_output", "ffn_norm", "attn_q_norm", "attn_k_norm",
                                 "ffn_gate",    "ffn_up",   "ffn_down"};

// Hugging Face's name -> GGUF's.
std::map<std::string, std::string> gguf_names(std::size_t layers) {
  std::map<std::string, std::string> names;
  const auto add = [&](const std::string& module) {
    for (const std::string kind : {".weight", ".bias"})
      names[hf_tensor_name(module + kind, false)] = module + kind;
  };
  for (const char* module : {"token_embd", "output_norm", "output"}) add(module);
  for (std::size_t layer = 0; layer < layers; ++layer)
    for (const char* module : kModules) add("blk." + std::to_string(layer) + "." + module);
  return names;
}

std::string with_rows_in_pairs(std::string_view data, std::size_t rows, std::size_t head_dim) {
  const std::size_t row = data.size() / rows;
  std::string paired(data.size(), '\0');
  for (std::size_t head = 0; head < rows; head += head_dim)
    for (std::size_t i = 0; i < head_dim / 2; ++i)
      for (std::size_t t = 0; t < 2; ++t)
        paired.replace((head + 2 * i + t) * row, row,
                       data.substr((head + t * head_dim / 2 + i) * row, row));
  return paired;
}

void add_metadata(const HyperParams& hyper, const std::string& name, GgufFile& file) {
  const auto number = [](std::size_t value) { return static_cast<std::uint32_t>(value); };
  file.text("general.architecture", name);
  file.u32(name + ".context_length", number(hyper.context));
  file.u32(name + ".embedding_length", number(hyper.hidden));
  file.u32(name + ".block_count", number(hyper.layers));
  file.u32(name + ".feed_forward_length", number(hyper.mlp_hidden));
  file.u32(name + ".attention.head_count", number(hyper.heads));
  file.u32(name + ".attention.head_count_kv", number(hyper.kv_heads));
  file.u32(name + ".attention.key_length", number(hyper.head_dim));
  file.f32(name + ".attention.layer_norm_rms_epsilon", hyper.norm_epsilon);
  file.f32(name + ".rope.freq_base", static_cast<float>(hyper.rope.theta));
  if (hyper.rope.scaling == RopeScaling::kLinear)
    file.text(name + ".rope.scaling.type", "linear")
        .f32(name + ".rope.scaling.factor", static_cast<float>(hyper.rope.factor));
  if (hyper.rope.scaling == RopeScaling::kYarn)
    file.text(name + ".rope.scaling.type", "yarn")
        .f32(name + ".rope.scaling.factor", static_cast<float>(hyper.rope.factor))
        .u32(name + ".rope.scaling.original_context_length",
             static_cast<std::uint32_t>(hyper.rope.original_context))
        .f32(name + ".rope.scaling.yarn_beta_fast", static_cast<float>(hyper.rope.beta_fast))
        .f32(name + ".rope.scaling.yarn_beta_slow", static_cast<float>(hyper.rope.beta_slow));
}

// What a converter makes of a golden model.
GgufFile as_gguf(const std::string& model) {
  const Json config = read_json(kGoldenModels / model / "config.json");
  const ModelSpec& spec = find_spec(config);
  const HyperParams hyper = read_hyper_params(config, spec);
  GgufFile file;
  add_metadata(hyper, std::string(spec.gguf_name), file);
  if (hyper.rope.scaling == RopeScaling::kLlama3) {
    Rope unscaled = hyper.rope;
    unscaled.scaling = RopeScaling::kNone;
    const auto base = rope_frequencies(unscaled, hyper.head_dim);
    std::string divisors;
    for (std::size_t i = 0; i < base.size(); ++i)
      divisors += test::packed(static_cast<float>(base[i] / hyper.rope.frequencies[i]));
    file.tensor("rope_freqs.weight", {static_cast<std::int64_t>(base.size())}, 0, divisors);
  }
  const auto reader = open_checkpoint(kGoldenModels / model);
  const auto names = gguf_names(hyper.layers);
  for (const TensorInfo& info : reader->tensors()) {
    const auto bytes = reader->bytes(info);
    std::string data(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const bool rotated = info.name.find("q_proj") != std::string::npos ||
                         info.name.find("k_proj") != std::string::npos;
    if (rotated && spec.gguf_pairs_rows)
      data = with_rows_in_pairs(data, static_cast<std::size_t>(info.shape[0]), hyper.head_dim);
    file.tensor(names.at(info.name), {info.shape.rbegin(), info.shape.rend()},
                info.dtype == DType::kF32   ? 0
                : info.dtype == DType::kF16 ? 1
                                            : 30,
                data);
  }
  return file;
}

class GoldenAsGguf : public testing::TestWithParam<const char*> {};

TEST_P(GoldenAsGguf, GivesTheGoldenLogits) {
  const TempDir dir;
  write_file(dir / "model.gguf", as_gguf(GetParam()).bytes());
  const ModelSource source(dir / "model.gguf");
  const Transformer model(source);
  const auto golden = test::golden_logits(GetParam());
  Tensor hidden(golden.ids.size(), model.hyper().hidden);
  model.hidden_states(golden.ids, golden.ids.size(), hidden.view(), Compute::kFloat32);
  Tensor logits(golden.ids.size(), model.hyper().vocabulary);
  model.logits(hidden.view(), logits.view(), Compute::kFloat32);
  EXPECT_LE(test::relative_error(logits.view(), golden.logits.view()), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenAsGguf,
                         testing::Values("llama_groups", "llama_heads", "llama_biases",
                                         "llama_linear", "llama_scaled_tied", "llama_yarn", "qwen2",
                                         "qwen3"),
                         [](const auto& test) { return std::string(test.param); });

class GgufModel : public testing::Test {
 protected:
  void expect_refused(const GgufFile& file, ErrorKind kind, std::string_view reason) {
    write_file(dir_ / "model.gguf", file.bytes());
    const auto open = [&] { ModelSource source(dir_.path()); };
    EXPECT_EQ(error_kind(open), kind) << reason;
    const std::string text = error_text(open);
    EXPECT_NE(text.find(reason), std::string::npos) << text;
    EXPECT_NE(text.find("model.gguf"), std::string::npos) << text;
  }
  TempDir dir_;
};

TEST_F(GgufModel, RefusesWhatItWouldRunWrongly) {
  const GgufFile good = as_gguf("qwen3");
  expect_refused(GgufFile(good).tensor("blk.0.ffn_gate_exps.weight", {1}, 0, "1234"),
                 ErrorKind::kUnsupported, "ffn_gate_exps");
  expect_refused(GgufFile(good).u32("qwen3.expert_count", 8), ErrorKind::kUnsupported,
                 "expert_count");
  expect_refused(GgufFile(good).u32("qwen3.rope.dimension_count", 2), ErrorKind::kUnsupported,
                 "dimension_count");
  expect_refused(GgufFile(good).text("qwen3.rope.scaling.type", "longrope"),
                 ErrorKind::kUnsupported, "longrope");
  expect_refused(GgufFile(good)
                     .text("qwen3.rope.scaling.type", "yarn")
                     .f32("qwen3.rope.scaling.factor", 4)
                     .f32("qwen3.rope.scaling.attn_factor", 2),
                 ErrorKind::kUnsupported, "attn_factor");
  expect_refused(GgufFile(good).tensor("rope_freqs.weight", {1}, 0, "1234"),
                 ErrorKind::kCorruptFile, "rope_freqs.weight");
  expect_refused(GgufFile().text("general.architecture", "falcon"), ErrorKind::kUnsupported,
                 "falcon");
  expect_refused(test::GgufFile(), ErrorKind::kCorruptFile, "general.architecture");
}

TEST_F(GgufModel, ChecksABiasThatItsArchitectureNeedNotHave) {
  write_file(dir_ / "model.gguf",
             as_gguf("llama_groups").tensor("blk.0.attn_q.bias", {1}, 0, "1234").bytes());
  const std::string text = error_text([&] { ModelSource source(dir_.path()); });
  EXPECT_NE(text.find("model.layers.0.self_attn.q_proj.bias"), std::string::npos) << text;
}

TEST_F(GgufModel, ReadsTheRopeAsLlamaCppDoes) {
  const auto rope = [&](const std::function<void(GgufFile&)>& add) {
    GgufFile file = as_gguf("qwen3");
    add(file);
    write_file(dir_ / "model.gguf", file.bytes());
    return ModelSource(dir_.path()).hyper().rope;
  };
  const Rope plain = rope([](GgufFile&) {});
  const Rope quarter = rope([](GgufFile& file) {
    file.text("qwen3.rope.scaling.type", "linear").f32("qwen3.rope.scaling.factor", 4);
  });
  EXPECT_EQ(quarter.frequencies[0], plain.frequencies[0] / 4);
  // The type is linear where none is said, and the factor had another key once.
  const Rope untyped = rope([](GgufFile& file) { file.f32("qwen3.rope.scaling.factor", 4); });
  const Rope old = rope([](GgufFile& file) { file.f32("qwen3.rope.scale_linear", 4); });
  const Rope both = rope([](GgufFile& file) {
    file.f32("qwen3.rope.scale_linear", 2).f32("qwen3.rope.scaling.factor", 4);
  });
  for (const Rope& other : {untyped, old, both}) EXPECT_EQ(other.frequencies, quarter.frequencies);
  // No factor, a factor of 0 and the type "none" change nothing.
  const Rope typed = rope([](GgufFile& file) { file.text("qwen3.rope.scaling.type", "linear"); });
  const Rope zero = rope([](GgufFile& file) { file.f32("qwen3.rope.scale_linear", 0); });
  const Rope none = rope([](GgufFile& file) {
    file.text("qwen3.rope.scaling.type", "none").f32("qwen3.rope.scaling.factor", 4);
  });
  for (const Rope& other : {typed, zero, none}) EXPECT_EQ(other.frequencies, plain.frequencies);
}

// Files that another program quantized, against the model they came from. Mean KL in nats on 256
// tokens of text; the bound is about twice what that program's own figures say, for the short text.
struct Peer {
  const char* file;
  const char* model;
  double bound;
};

class PeerFile : public testing::TestWithParam<Peer> {};

Tensor logits_of(const std::filesystem::path& path, std::span<const std::int32_t> ids) {
  const ModelSource source(path);
  const Transformer model(source);
  Tensor hidden(ids.size(), model.hyper().hidden);
  model.hidden_states(ids, ids.size(), hidden.view(), Compute::kFloat32);
  Tensor logits(ids.size(), model.hyper().vocabulary);
  model.logits(hidden.view(), logits.view(), Compute::kFloat32);
  return logits;
}

double log_sum(std::span<const float> row) {
  double sum = 0;
  for (const float value : row) sum += std::exp(static_cast<double>(value));
  return std::log(sum);
}

double mean_divergence(ConstMatrix base, ConstMatrix other) {
  double sum = 0;
  for (std::size_t r = 0; r < base.rows; ++r) {
    const double p_norm = log_sum(base.row_span(r)), q_norm = log_sum(other.row_span(r));
    for (std::size_t c = 0; c < base.columns; ++c) {
      const double p = base(r, c) - p_norm, q = other(r, c) - q_norm;
      sum += std::exp(p) * (p - q);
    }
  }
  return sum / static_cast<double>(base.rows);
}

TEST_P(PeerFile, PredictsAsItsOriginal) {
  const std::filesystem::path shared = std::string(kSourceFolder) + "/../shared";
  const auto file = shared / "peers/gguf" / GetParam().file;
  const auto folder = shared / "models" / GetParam().model;
  if (!std::filesystem::exists(file)) GTEST_SKIP() << file << " is absent";
  const std::string text = read_file(shared / "text/books_eval.txt", 1u << 30).substr(0, 100'000);
  auto ids = Tokenizer::open(folder)->encode(text);
  ids.resize(256);
  const Tensor base = logits_of(folder, ids), other = logits_of(file, ids);
  EXPECT_LE(mean_divergence(base.view(), other.view()), GetParam().bound);
}

INSTANTIATE_TEST_SUITE_P(Files, PeerFile,
                         testing::Values(Peer{"ref8m-BF16.gguf", "ref8m", 1e-9},
                                         Peer{"ref8m-Q8_0.gguf", "ref8m", 2e-4},
                                         Peer{"ref8m-Q6_K-imatrix.gguf", "ref8m", 1.5e-3},
                                         Peer{"ref8m-Q4_K_M-imatrix.gguf", "ref8m", 9e-3},
                                         Peer{"ref8m-IQ4_XS-imatrix.gguf", "ref8m", 1.2e-2},
                                         Peer{"ref8m-Q4_0.gguf", "ref8m", 1.8e-2},
                                         Peer{"ref8m-Q3_K_M-imatrix.gguf", "ref8m", 2.9e-2},
                                         Peer{"stories260k-F16.gguf", "stories260k", 1e-5},
                                         Peer{"stories260k-Q8_0.gguf", "stories260k", 1e-2}),
                         [](const auto& peer) {
                           std::string name = peer.param.file;
                           for (char& c : name)
                             if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
                           return name;
                         });

}  // namespace
}  // namespace nibble
