#include "model/transformer.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/progress.h"
#include "base/text.h"
#include "nibble/error.h"
#include "nn/rms_norm.h"

namespace nibble {
namespace {

constexpr std::size_t kPrefillChunk = 512;   // prompt tokens computed together
constexpr std::size_t kWindowTokens = 2048;  // tokens of whole windows computed together

void check_ids(std::span<const std::int32_t> ids, std::size_t vocabulary) {
  for (const std::int32_t id : ids)
    if (id < 0 || static_cast<std::size_t>(id) >= vocabulary)
      throw Error(ErrorKind::kInvalidArgument,
                  cat("token id ", id, " is outside the vocabulary of ", vocabulary));
}

}  // namespace

KvType kv_type_for(Compute compute) {
  return compute == Compute::kInt8 ? KvType::kFloat16 : KvType::kFloat32;
}

KvCache::KvCache(const HyperParams& hyper, std::size_t capacity, KvType type)
    : capacity_(capacity) {
  if (type == KvType::kQ8_0 && hyper.head_dim % 32 != 0)
    throw Error(ErrorKind::kUnsupported,
                cat("a q8_0 cache needs heads of a multiple of 32 values; this model's have ",
                    hyper.head_dim),
                "use another type of cache, for example f16");
  const std::size_t width = hyper.kv_heads * hyper.head_dim;
  for (std::size_t i = 0; i < hyper.layers; ++i)
    layers_.push_back({KvRows(type, capacity, width), KvRows(type, capacity, width)});
}

void KvCache::truncate(std::size_t length) { length_ = std::min(length, length_); }

void KvCache::reserve(std::size_t capacity) {
  if (capacity <= capacity_) return;
  for (LayerCache& layer : layers_)
    for (KvRows* part : {&layer.keys, &layer.values}) part->grow(capacity, length_);
  capacity_ = capacity;
}

void embed(const Linear& embedding, float scale, std::span<const std::int32_t> ids, Matrix out) {
  check_ids(ids, embedding.outputs());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    embedding.decode(static_cast<std::size_t>(ids[i]), out.rows_at(i, 1));
    if (scale == 1) continue;
    for (std::size_t c = 0; c < out.columns; ++c) out(i, c) *= scale;
  }
}

Transformer::Transformer(const ModelSource& source)
    : source_(&source),
      embedding_(source.embedding()),
      head_(source.head()),
      final_norm_(source.final_norm()) {
  for (std::size_t layer = 0; layer < source.hyper().layers; ++layer)
    blocks_.push_back(source.block(layer));
}

void Transformer::prepare(Compute compute) {
  for (const Block& block : blocks_) {
    for (const auto& linear : block.linears) linear->prepare(compute);
    // Most of what was read lies in memory in its new form; the rest comes back from the file.
    source_->drop_layer(block.layer);
  }
  head_->prepare(compute);
}

const HyperParams& Transformer::hyper() const { return source_->hyper(); }

std::size_t KvCache::bytes_per_token(const HyperParams& hyper, KvType type) {
  return hyper.layers * 2 * KvRows::bytes(type, hyper.kv_heads * hyper.head_dim);
}

std::string Transformer::kind() const {
  std::map<std::string, std::size_t> weights;
  for (const Block& block : blocks_)
    for (const auto& linear : block.linears)
      weights[linear->kind()] += linear->inputs() * linear->outputs();
  const auto most = std::max_element(weights.begin(), weights.end(),
                                     [](auto& a, auto& b) { return a.second < b.second; });
  return most == weights.end() ? "" : most->first;
}

std::size_t Transformer::block_weights() const {
  std::size_t weights = 0;
  for (const Block& block : blocks_)
    for (const auto& linear : block.linears) weights += linear->inputs() * linear->outputs();
  return weights;
}

std::size_t Transformer::weight_bytes() const {
  std::size_t bytes = head_->bytes();
  for (const Block& block : blocks_)
    for (const auto& linear : block.linears) bytes += linear->bytes();
  return bytes;
}

void Transformer::hidden_states(std::span<const std::int32_t> ids, std::size_t length, Matrix out,
                                Compute compute) const {
  if (length == 0 || ids.size() % length != 0)
    throw Error(ErrorKind::kInvalidArgument,
                cat(ids.size(), " tokens are no whole number of windows of ", length));
  const std::size_t windows = ids.size() / length;
  const std::size_t at_once = std::max<std::size_t>(1, kWindowTokens / length);
  std::vector<Sequence> sequences;
  for (std::size_t first = 0; first < windows; first += at_once) {
    const std::size_t count = std::min(at_once, windows - first);
    const Matrix hidden = out.rows_at(first * length, count * length);
    embed(*embedding_, hyper().embedding_scale, ids.subspan(first * length, count * length),
          hidden);
    sequences.clear();
    for (std::size_t i = 0; i < count; ++i) sequences.push_back({i * length, length, 0, nullptr});
    for (const Block& block : blocks_) block.forward(hidden, sequences, compute);
    rms_norm(hidden, final_norm_, hyper().norm_epsilon, hidden);
  }
}

void Transformer::logits(ConstMatrix hidden, Matrix out, Compute compute) const {
  head_->forward(hidden, out, compute);
}

std::vector<float> Transformer::extend(KvCache& cache, std::span<const std::int32_t> ids,
                                       Compute compute) const {
  if (ids.empty()) throw Error(ErrorKind::kInvalidArgument, "no token to continue from");
  if (cache.length_ + ids.size() > cache.capacity_)
    throw Error(ErrorKind::kInvalidArgument,
                cat(cache.length_ + ids.size(), " positions are needed; the cache holds ",
                    cache.capacity_));
  check_ids(ids, hyper().vocabulary);  // before a part of them is in the cache
  Tensor last(1, hyper().hidden);
  for (std::size_t first = 0; first < ids.size(); first += kPrefillChunk) {
    throw_if_stopped();  // a long prompt takes minutes
    const std::size_t count = std::min(kPrefillChunk, ids.size() - first);
    Tensor hidden(count, hyper().hidden);
    embed(*embedding_, hyper().embedding_scale, ids.subspan(first, count), hidden.view());
    for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
      const Sequence sequence{0, count, cache.length_, &cache.layers_[layer]};
      blocks_[layer].forward(hidden.view(), {&sequence, 1}, compute);
    }
    cache.length_ += count;
    rms_norm(hidden.view().rows_at(count - 1, 1), final_norm_, hyper().norm_epsilon, last.view());
  }
  std::vector<float> result(hyper().vocabulary);
  logits(last.view(), Matrix(result.data(), 1, result.size()), compute);
  return result;
}

Tensor Transformer::extend_all(std::span<KvCache> caches, std::span<const std::int32_t> ids,
                               Compute compute) const {
  if (caches.size() != ids.size())
    throw Error(ErrorKind::kInvalidArgument,
                cat(ids.size(), " tokens for ", caches.size(), " sequences"));
  Tensor hidden(ids.size(), hyper().hidden);
  embed(*embedding_, hyper().embedding_scale, ids, hidden.view());
  for (const KvCache& cache : caches)
    if (cache.length_ >= cache.capacity_)
      throw Error(ErrorKind::kInvalidArgument, "a cache is full");
  std::vector<Sequence> sequences(ids.size());
  for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
    for (std::size_t i = 0; i < ids.size(); ++i)
      sequences[i] = {i, 1, caches[i].length_, &caches[i].layers_[layer]};
    blocks_[layer].forward(hidden.view(), sequences, compute);
  }
  for (KvCache& cache : caches) ++cache.length_;
  rms_norm(hidden.view(), final_norm_, hyper().norm_epsilon, hidden.view());
  Tensor out(ids.size(), hyper().vocabulary);
  logits(hidden.view(), out.view(), compute);
  return out;
}

}  // namespace nibble
