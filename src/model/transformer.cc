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

constexpr std::size_t kPrefillChunk = 512;  // prompt tokens computed together
constexpr std::size_t kBatchTokens = 1024;  // of several sequences; a prompt's and others beside it
constexpr std::size_t kWindowTokens = 2048;  // tokens of whole windows computed together

void check_ids(std::span<const std::int32_t> ids, std::size_t vocabulary) {
  for (const std::int32_t id : ids)
    if (id < 0 || static_cast<std::size_t>(id) >= vocabulary)
      throw Error(ErrorKind::kInvalidArgument,
                  cat("token id ", id, " is outside the vocabulary of ", vocabulary));
}

void check(Batch batch, std::size_t vocabulary) {
  std::vector<const KvCache*> caches;
  for (const auto& [cache, ids] : batch) {
    if (ids.empty()) throw Error(ErrorKind::kInvalidArgument, "no token to continue from");
    if (cache->length() + ids.size() > cache->capacity())
      throw Error(ErrorKind::kInvalidArgument,
                  cat(cache->length() + ids.size(), " positions are needed; the cache holds ",
                      cache->capacity()));
    check_ids(ids, vocabulary);
    caches.push_back(cache);
  }
  std::sort(caches.begin(), caches.end());
  if (std::adjacent_find(caches.begin(), caches.end()) != caches.end())
    throw Error(ErrorKind::kInvalidArgument, "a batch continues one cache twice",
                "give each sequence a cache of its own");
}

}  // namespace

KvType kv_type_for(Compute compute) {
  const bool rounds = compute == Compute::kInt8 || compute == Compute::kLlmInt8;
  return rounds ? KvType::kFloat16 : KvType::kFloat32;
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
  if (compute != Compute::kLlmInt8) return;
  const auto layers = layers_of_names();
  if (std::none_of(layers.begin(), layers.end(),
                   [&](const auto& layer) { return layer.second->ranges(compute) != nullptr; }))
    throw Error(ErrorKind::kInvalidArgument,
                cat(source_->path().string(), ": LLM.int8 is for int8 weights with one scale for ",
                    "each row; no layer of this model has them"),
                "quantize the model with --layout bitsandbytes-int8; or use --compute int8, which "
                "rounds the inputs of any packed layer");
}

std::vector<std::pair<std::string, const Linear*>> Transformer::layers_of_names() const {
  std::vector<std::pair<std::string, const Linear*>> layers;
  for (const Block& block : blocks_)
    for (std::size_t role = 0; role < kRoles; ++role)
      layers.emplace_back(source_->module_path(block.layer, static_cast<Role>(role)),
                          block.linears[role].get());
  layers.emplace_back(hyper().tied_head ? "the head" : source_->names().head(), head_.get());
  return layers;
}

std::string Transformer::note_on(Compute compute) const {
  if (compute != Compute::kLlmInt8) return {};
  const auto layers = layers_of_names();
  std::string first;
  std::size_t others = 0;
  for (const auto& [name, layer] : layers) {
    if (layer->ranges(compute) != nullptr) continue;
    if (others++ == 0) first = cat(name, " (", layer->kind(), ")");
  }
  if (others == 0) return {};
  return cat("LLM.int8 in ", layers.size() - others, " of ", layers.size(),
             " layers; without int8 weights with one scale for each row the others compute in ",
             "floats, the first of them ", first);
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
    const RopeTables ropes(hyper(), sequences);
    for (const Block& block : blocks_) block.forward(hidden, sequences, ropes, compute);
    rms_norm(hidden, final_norm_, hyper().norm_epsilon, hidden);
  }
}

void Transformer::logits(ConstMatrix hidden, Matrix out, Compute compute) const {
  head_->forward(hidden, out, compute);
}

// The next ids of one sequence of a batch.
struct Transformer::Piece {
  std::size_t index = 0;  // in the batch
  KvCache* cache = nullptr;
  std::span<const std::int32_t> ids;
  bool last = false;  // none of its ids are left
};

void Transformer::run(std::span<const Piece> pieces, Matrix ends, Compute compute) const {
  std::size_t rows = 0;
  for (const Piece& piece : pieces) rows += piece.ids.size();
  Tensor hidden(rows, hyper().hidden);
  std::vector<Sequence> sequences;
  sequences.reserve(pieces.size());
  rows = 0;
  for (const Piece& piece : pieces) {
    const std::size_t count = piece.ids.size();
    embed(*embedding_, hyper().embedding_scale, piece.ids, hidden.view().rows_at(rows, count));
    sequences.push_back({rows, count, piece.cache->length_, nullptr});
    rows += count;
  }
  const RopeTables ropes(hyper(), sequences);
  for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
    for (std::size_t i = 0; i < pieces.size(); ++i)
      sequences[i].cache = &pieces[i].cache->layers_[layer];
    blocks_[layer].forward(hidden.view(), sequences, ropes, compute);
  }
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const Sequence& sequence = sequences[i];
    pieces[i].cache->length_ += sequence.length;
    if (pieces[i].last)
      rms_norm(hidden.view().rows_at(sequence.first_row + sequence.length - 1, 1), final_norm_,
               hyper().norm_epsilon, ends.rows_at(pieces[i].index, 1));
  }
}

void Transformer::extend_into(Batch batch, Matrix out, Compute compute) const {
  check(batch, hyper().vocabulary);  // before a part of it is in the caches
  Tensor ends(batch.size(), hyper().hidden);
  std::vector<std::span<const std::int32_t>> left;
  for (const Continuation& one : batch) left.push_back(one.ids);
  std::vector<Piece> pieces;
  while (true) {
    std::size_t rows = 0;
    pieces.clear();
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const std::size_t count = std::min(kPrefillChunk, left[i].size());
      if (count == 0 || rows + count > kBatchTokens) continue;
      pieces.push_back({i, batch[i].cache, left[i].first(count), count == left[i].size()});
      left[i] = left[i].subspan(count);
      rows += count;
    }
    if (pieces.empty()) break;
    throw_if_stopped();  // a long prompt takes minutes
    run(pieces, ends.view(), compute);
  }
  logits(ends.view(), out, compute);
}

Tensor Transformer::extend(Batch batch, Compute compute) const {
  Tensor out(batch.size(), hyper().vocabulary);
  extend_into(batch, out.view(), compute);
  return out;
}

std::vector<float> Transformer::extend(KvCache& cache, std::span<const std::int32_t> ids,
                                       Compute compute) const {
  const Continuation one{&cache, ids};
  std::vector<float> out(hyper().vocabulary);
  extend_into({&one, 1}, Matrix(out.data(), 1, out.size()), compute);
  return out;
}

}  // namespace nibble
