#include "model/gguf/names.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

constexpr std::array<Pair, 3> kOutside = {
    {{"token_embd", "model.embed_tokens"}, {"output_norm", "model.norm"}, {"output", "lm_head"}}};

constexpr std::array<Pair, 13> kInLayer = {
    {{"attn_norm", "input_layernorm"},
     {"attn_q", "self_attn.q_proj"},
     {"attn_k", "self_attn.k_proj"},
     {"attn_v", "self_attn.v_proj"},
     {"attn_output", "self_attn.o_proj"},
     {"attn_q_norm", "self_attn.q_norm"},
     {"attn_k_norm", "self_attn.k_norm"},
     {"post_attention_norm", "post_attention_layernorm"},
     {"post_ffw_norm", "post_feedforward_layernorm"},
     {"ffn_gate", "mlp.gate_proj"},
     {"ffn_up", "mlp.up_proj"},
     {"ffn_down", "mlp.down_proj"},
     {"ffn_norm", "post_attention_layernorm"}}};  // with norms around: pre_feedforward_layernorm

constexpr std::string_view kLayer = "blk.";

template <std::size_t N>
std::string_view counterpart(const std::array<Pair, N>& pairs, std::string_view module) {
  for (const auto& [gguf, hf] : pairs)
    if (gguf == module) return hf;
  return {};
}

class RenamedReader final : public CheckpointReader {
 public:
  explicit RenamedReader(std::unique_ptr<CheckpointReader> inner) : inner_(std::move(inner)) {
    const bool norms_around = inner_->find("blk.0.post_ffw_norm.weight") != nullptr;
    for (const TensorInfo& own : inner_->tensors()) {
      std::string name = hf_tensor_name(own.name, norms_around);
      if (name.empty() && own.name.starts_with(kLayer))
        throw Error(ErrorKind::kUnsupported,
                    cat(inner_->files().front().string(), ": tensor \"", own.name,
                        "\" belongs to a kind of layer that is not run"));
      renamed_.push_back(own);
      if (!name.empty()) renamed_.back().name = std::move(name);
      originals_.emplace_back(renamed_.back().name, &own);
    }
    std::sort(renamed_.begin(), renamed_.end(),
              [](const TensorInfo& a, const TensorInfo& b) { return a.name < b.name; });
    std::sort(originals_.begin(), originals_.end());
    for (std::size_t i = 1; i < renamed_.size(); ++i)
      if (renamed_[i].name == renamed_[i - 1].name)
        throw Error(ErrorKind::kCorruptFile,
                    cat(inner_->files().front().string(), ": two tensors stand for \"",
                        renamed_[i].name, "\""));
  }

  std::span<const TensorInfo> tensors() const override { return renamed_; }
  std::span<const std::byte> bytes(const TensorInfo& info) const override {
    return inner_->bytes(original(info));
  }
  void drop(const TensorInfo& info) const override { inner_->drop(original(info)); }
  std::vector<std::filesystem::path> files() const override { return inner_->files(); }
  std::span<const std::string> warnings() const override { return inner_->warnings(); }
  const GgufMetadata* gguf() const override { return inner_->gguf(); }

 private:
  const TensorInfo& original(const TensorInfo& info) const {
    return *originals_[static_cast<std::size_t>(&at(info.name) - renamed_.data())].second;
  }

  std::unique_ptr<CheckpointReader> inner_;
  std::vector<TensorInfo> renamed_;
  std::vector<std::pair<std::string, const TensorInfo*>> originals_;  // in the same order
};

}  // namespace

std::string hf_tensor_name(std::string_view gguf_name, bool norms_around) {
  const auto dot = gguf_name.rfind('.');
  if (dot == gguf_name.npos) return {};
  const std::string_view kind = gguf_name.substr(dot);  // ".weight"
  std::string_view module = gguf_name.substr(0, dot);
  if (kind != ".weight" && kind != ".bias") return {};
  if (!module.starts_with(kLayer)) {
    const std::string_view name = counterpart(kOutside, module);
    return name.empty() ? "" : cat(name, kind);
  }
  module.remove_prefix(kLayer.size());
  const auto end = module.find('.');
  if (end == module.npos) return {};
  const std::string_view number = module.substr(0, end);
  module.remove_prefix(end + 1);
  std::string_view name = counterpart(kInLayer, module);
  if (module == "ffn_norm" && norms_around) name = "pre_feedforward_layernorm";
  return name.empty() ? "" : cat("model.layers.", number, ".", name, kind);
}

std::string gguf_tensor_name(std::string_view hf_name, bool norms_around) {
  // Few names, and each is looked up once: the one that leads here is the answer.
  const auto dot = hf_name.rfind('.');
  if (dot == hf_name.npos) return {};
  const std::string_view kind = hf_name.substr(dot);
  for (const auto& [gguf, hf] : kOutside)
    if (const std::string name = cat(gguf, kind); hf_tensor_name(name, norms_around) == hf_name)
      return name;
  constexpr std::string_view kLayers = "model.layers.";
  if (!hf_name.starts_with(kLayers)) return {};
  const std::string_view rest = hf_name.substr(kLayers.size());
  const std::string_view number = rest.substr(0, rest.find('.'));
  for (const auto& [gguf, hf] : kInLayer) {
    // Two names stand for one norm: which of them depends on what stands around it.
    if (gguf == "post_attention_norm" && !norms_around) continue;
    const std::string name = cat(kLayer, number, ".", gguf, kind);
    if (hf_tensor_name(name, norms_around) == hf_name) return name;
  }
  return {};
}

std::vector<std::uint32_t> rows_in_pairs(std::size_t rows, std::size_t head_dim) {
  std::vector<std::uint32_t> row_of(rows);
  for (std::size_t r = 0; r < rows; ++r) {
    const std::size_t element = r % head_dim, half = head_dim / 2;
    row_of[r] = static_cast<std::uint32_t>(r - element + 2 * (element % half) + element / half);
  }
  return row_of;
}

std::unique_ptr<CheckpointReader> with_hf_names(std::unique_ptr<CheckpointReader> gguf) {
  return std::make_unique<RenamedReader>(std::move(gguf));
}

}  // namespace nibble
