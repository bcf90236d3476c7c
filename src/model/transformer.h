// The whole model: embedding, blocks, final norm, head.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/source.h"

namespace nibble {

// What a cache is kept in unless it is said: float32 for exact arithmetic, else float16.
KvType kv_type_for(Compute compute);

// Keys and values of one sequence in all layers.
class KvCache {
 public:
  // Throws kUnsupported where the model's heads do not suit the type.
  KvCache(const HyperParams& hyper, std::size_t capacity, KvType type = KvType::kFloat32);
  std::size_t length() const { return length_; }
  std::size_t capacity() const { return capacity_; }
  void truncate(std::size_t length);   // forget positions from `length` on
  void reserve(std::size_t capacity);  // room for that many; what is there stays
  static std::size_t bytes_per_token(const HyperParams& hyper, KvType type);

 private:
  friend class Transformer;
  std::vector<LayerCache> layers_;
  std::size_t length_ = 0;
  std::size_t capacity_ = 0;
};

// A sequence that goes on: the ids it is continued with, and the cache of what came before.
struct Continuation {
  KvCache* cache = nullptr;
  std::span<const std::int32_t> ids;
};
// Sequences that go on together, each by any number of ids: prompts beside single tokens.
using Batch = std::span<const Continuation>;

class Transformer {
 public:
  // Loads every part of `source`, which must outlive it.
  explicit Transformer(const ModelSource& source);

  // Brings all layers into the form that `compute` reads. Throws kInvalidArgument for kLlmInt8
  // where no layer has weights for it.
  void prepare(Compute compute);
  // What is to be known of layers that, prepared so, compute in another arithmetic; else empty.
  std::string note_on(Compute compute) const;

  const HyperParams& hyper() const;
  std::size_t weight_bytes() const;   // of all that is read for each token: blocks and head
  std::string kind() const;           // of most linear layers: "int4 groups of 128"
  std::size_t block_weights() const;  // weights in the linear layers of all blocks

  // Windows of equal length, each from position 0 without a past: ids [windows · length] row by
  // row -> hidden states after the final norm, [windows · length, hidden].
  void hidden_states(std::span<const std::int32_t> ids, std::size_t length, Matrix out,
                     Compute compute) const;
  // hidden after the final norm [tokens, hidden] -> logits [tokens, vocabulary]
  void logits(ConstMatrix hidden, Matrix out, Compute compute) const;
  // Appends ids to one sequence; the logits of the last one, [vocabulary].
  // Throws kInvalidArgument when there is no id, one is out of range or the cache is full.
  std::vector<float> extend(KvCache& cache, std::span<const std::int32_t> ids,
                            Compute compute) const;
  // Appends to each sequence its ids; the logits of the last ones, [sequences, vocabulary]. The
  // layers see many sequences in one product: weights are read once for all. Throws as above,
  // before any cache has changed, and for two continuations of one cache.
  //
  // Long continuations go through in pieces of 512 ids, cut where they would be cut alone, and no
  // sequence reads another's rows; but a product may round otherwise for other numbers of rows. Bit
  // for bit a sequence gets what it gets alone while the ids that go through together, its own
  // alone as well, stay within one of these counts; beyond, what it gets alone but for the order of
  // sums:
  //   float arithmetic, and layers without panels   1 … 4
  //   layers with panels in kInt8                   1 … 8, and 9 or more
  //   the same on a CPU with tile registers         1 … 2, 3 … 16, and 17 or more
  // The output head sees one row for each sequence. In kLlmInt8 rows do read each other: a large
  // input in one of them takes its column out of the bytes of all that go through together.
  Tensor extend(Batch batch, Compute compute) const;

 private:
  struct Piece;
  std::vector<std::pair<std::string, const Linear*>> layers_of_names() const;
  void extend_into(Batch batch, Matrix logits, Compute compute) const;
  // Through all layers in one go; ends[i]: where the state of batch[i]'s last id goes.
  void run(std::span<const Piece> pieces, Matrix ends, Compute compute) const;

  const ModelSource* source_;
  std::vector<Block> blocks_;
  std::unique_ptr<Linear> embedding_, head_;
  std::vector<float> final_norm_;
};

// What the first block sees: rows of the embedding matrix times `scale`; ids are checked against
// the vocabulary. out [ids, hidden]
void embed(const Linear& embedding, float scale, std::span<const std::int32_t> ids, Matrix out);

}  // namespace nibble
