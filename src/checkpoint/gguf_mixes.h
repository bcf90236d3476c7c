// llama.cpp's file types: names such as Q4_K_M that stand for a choice of block types, by what a
// matrix does and where it lies. The rules are those of llama-quantize of October 2026, for dense
// models; everything that depends on them asks here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "checkpoint/gguf_type.h"

namespace nibble {

enum class GgufPart {
  kEmbedding,
  kHead,
  kQuery,
  kKey,
  kValue,
  kAttentionOutput,
  kGate,
  kUp,
  kDown
};

struct GgufPlace {  // of one matrix in a model
  GgufPart part = GgufPart::kQuery;
  std::size_t index = 0;    // among the layers' matrices of this part that the mix decides on
  std::size_t layers = 0;   // of the model
  std::size_t columns = 0;  // of the matrix
};

struct GgufModelFacts {
  bool shared_values = false;    // four query heads or more to each value head
  bool seventy_billion = false;  // 80 layers, shared values: those are small and get more bits
  bool tied = false;             // the embedding is the head, too
  bool importance = false;       // calibration says which inputs matter
};

struct GgufMix;

namespace gguf_mixes {
// Whatever its capitals; null: there is none. `bare`: also names that are a type's own: "Q6_K", and
// "Q4_K" for Q4_K_M.
const GgufMix* find(std::string_view name, bool bare);
// Of a mix whose name is known to be one.
const GgufMix& named(std::string_view name);
std::string_view name(const GgufMix& mix);
std::vector<std::string_view> names();  // of all mixes
const BlockFormat& base(const GgufMix& mix);
std::uint32_t file_type(const GgufMix& mix);
// Whether or not its blocks divide the rows.
GgufType type_of(const GgufMix& mix, const GgufPlace& place, const GgufModelFacts& facts);
}  // namespace gguf_mixes

// `wanted`, or what llama.cpp takes instead where its blocks do not divide rows of so many columns:
// another block type, or F16.
GgufType gguf_type_for_rows(GgufType wanted, std::size_t columns);

}  // namespace nibble
