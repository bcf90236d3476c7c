#include "checkpoint/gguf_mixes.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {

// Where a part gets other bits than the rest.
enum class Where {
  kNowhere,
  kEverywhere,
  kSharedValues,
  kFirstTwo,
  kFirstFour,
  kFirstSixteenth,
  kFirstEighth,
  kFirstEighthPlain,     // where no importance is known
  kFirstEighthWeighted,  // where one is
  kMoreBits,             // first and last eighth, and each third layer between
};

struct Rule {
  Where where = Where::kNowhere;
  std::string_view there = {};
  std::string_view elsewhere = {};  // empty: the mix's base
};

}  // namespace

struct GgufMix {
  std::string_view name, base;
  std::uint32_t file_type = 0;  // general.file_type
  Rule value = {}, down = {}, attention_output = {};
  std::string_view embedding = {};  // empty: base
};

namespace {

constexpr Rule kMoreQ6{Where::kMoreBits, "Q6_K"};
constexpr Rule kSharedQ5{Where::kSharedValues, "Q5_K"};
constexpr Rule kPlainQ5{Where::kFirstEighthPlain, "Q5_K"};

constexpr Rule always(std::string_view type) { return {Where::kEverywhere, type}; }

//  name, base, number, then the rules of attn_v, ffn_down and attn_output.
constexpr std::array kMixes = {
    GgufMix{"Q4_K_M", "Q4_K", 15, kMoreQ6, kMoreQ6},
    GgufMix{"Q4_K_S", "Q4_K", 14, {Where::kFirstFour, "Q5_K"}, {Where::kFirstEighth, "Q5_K"}},
    GgufMix{"Q5_K_M", "Q5_K", 17, kMoreQ6, kMoreQ6},
    GgufMix{"Q5_K_S", "Q5_K", 16},
    GgufMix{"Q3_K_M",
            "Q3_K",
            12,
            {Where::kFirstTwo, "Q5_K", "Q4_K"},
            {Where::kFirstSixteenth, "Q5_K", "Q4_K"},
            always("Q4_K")},
    GgufMix{"Q3_K_S", "Q3_K", 11},
    GgufMix{"Q3_K_L", "Q3_K", 13, always("Q5_K"), always("Q5_K"), always("Q5_K")},
    GgufMix{
        "Q2_K", "Q2_K", 10, {Where::kSharedValues, "Q4_K", "Q3_K"}, always("Q3_K"), always("Q3_K")},
    GgufMix{"Q2_K_S", "Q2_K", 21, {Where::kSharedValues, "Q4_K"}, {Where::kFirstEighth, "Q4_K"}},
    GgufMix{"Q6_K", "Q6_K", 18},
    GgufMix{"Q4_0", "Q4_0", 2, {}, {Where::kFirstEighthWeighted, "Q4_1"}},
    GgufMix{"Q4_1", "Q4_1", 3},
    GgufMix{"Q5_0", "Q5_0", 8, {}, {Where::kFirstEighthWeighted, "Q5_1"}},
    GgufMix{"Q5_1", "Q5_1", 9},
    GgufMix{"Q8_0", "Q8_0", 7},
    GgufMix{"IQ4_NL", "IQ4_NL", 25, kSharedQ5, kPlainQ5},
    GgufMix{"IQ4_XS", "IQ4_XS", 30, kSharedQ5, kPlainQ5},
    GgufMix{"TQ1_0", "TQ1_0", 36, {}, {}, {}, "Q4_K"},
    GgufMix{"TQ2_0", "TQ2_0", 37, {}, {}, {}, "Q4_K"},
    GgufMix{"MXFP4_MOE", "Q8_0", 38},  // only experts, which no model here has, become MXFP4
    GgufMix{"NVFP4", "NVFP4", 39},
    GgufMix{"Q1_0", "Q1_0", 40},
    GgufMix{"Q2_0", "Q2_0", 41, {}, {}, {}, "Q4_K"},
};

struct Pair {
  std::string_view first, second;
};

// Names that llama-quantize takes for others.
constexpr Pair kShort[] = {{"Q3_K", "Q3_K_M"}, {"Q4_K", "Q4_K_M"}, {"Q5_K", "Q5_K_M"}};

// A type whose blocks do not divide a row, and the smaller blocks that are taken instead.
constexpr Pair kSmaller[] = {{"Q2_K", "Q4_0"},  {"Q3_K", "Q4_0"},  {"Q4_K", "Q5_0"},
                             {"Q5_K", "Q5_1"},  {"Q6_K", "Q8_0"},  {"IQ4_XS", "IQ4_NL"},
                             {"TQ1_0", "Q4_0"}, {"TQ2_0", "Q4_0"}, {"Q2_0", "Q4_0"}};

bool holds(Where where, const GgufPlace& place, const GgufModelFacts& facts) {
  const std::size_t i = place.index, n = place.layers, eighth = n / 8;
  switch (where) {
    case Where::kNowhere:
      return false;
    case Where::kEverywhere:
      return true;
    case Where::kSharedValues:
      return facts.shared_values;
    case Where::kFirstTwo:
      return i < 2;
    case Where::kFirstFour:
      return i < 4;
    case Where::kFirstSixteenth:
      return i < n / 16;
    case Where::kFirstEighth:
      return i < eighth;
    case Where::kFirstEighthPlain:
      return i < eighth && !facts.importance;
    case Where::kFirstEighthWeighted:
      return i < eighth && facts.importance;
    case Where::kMoreBits:
      return i < eighth || i >= 7 * n / 8 || (i - eighth) % 3 == 2;
  }
  return false;
}

std::string_view head_type(const GgufMix& mix, std::size_t columns) {
  const BlockFormat& base = gguf_mixes::base(mix);
  return mix.base == "Q8_0" || columns % base.block != 0 ? "Q8_0" : "Q6_K";
}

std::string_view wanted_type(const GgufMix& mix, const GgufPlace& place,
                             const GgufModelFacts& facts) {
  const auto by = [&](const Rule& rule) {
    const std::string_view type = holds(rule.where, place, facts) ? rule.there : rule.elsewhere;
    return type.empty() ? mix.base : type;
  };
  switch (place.part) {
    case GgufPart::kHead:
      return head_type(mix, place.columns);
    case GgufPart::kEmbedding:
      if (facts.tied) return head_type(mix, place.columns);
      return mix.embedding.empty() ? mix.base : mix.embedding;
    case GgufPart::kValue: {
      const std::string_view type = by(mix.value);
      const bool few = type == "Q3_K" || type == "Q4_K";
      return facts.seventy_billion && few ? "Q5_K" : type;
    }
    case GgufPart::kDown:
      return by(mix.down);
    case GgufPart::kAttentionOutput:
      return by(mix.attention_output);
    default:
      return mix.base;
  }
}

}  // namespace

namespace gguf_mixes {

const GgufMix* find(std::string_view name, bool bare) {
  std::string_view wanted = name;
  if (bare)
    for (const auto& [alias, full] : kShort)
      if (gguf_named_alike(alias, name)) wanted = full;
  for (const GgufMix& mix : kMixes)
    if (gguf_named_alike(mix.name, wanted) && (bare || mix.name != mix.base)) return &mix;
  return nullptr;
}

const GgufMix& named(std::string_view name) {
  const GgufMix* mix = find(name, true);
  if (mix == nullptr)
    throw Error(ErrorKind::kInvalidArgument, cat("\"", name, "\" is no mix of GGUF types"));
  return *mix;
}

std::string_view name(const GgufMix& mix) { return mix.name; }

std::vector<std::string_view> names() {
  std::vector<std::string_view> names;
  for (const GgufMix& mix : kMixes) names.push_back(mix.name);
  return names;
}

const BlockFormat& base(const GgufMix& mix) { return *gguf_type_named(mix.base).blocks; }

std::uint32_t file_type(const GgufMix& mix) { return mix.file_type; }

GgufType type_of(const GgufMix& mix, const GgufPlace& place, const GgufModelFacts& facts) {
  return gguf_type_named(wanted_type(mix, place, facts));
}

}  // namespace gguf_mixes

GgufType gguf_type_for_rows(GgufType wanted, std::size_t columns) {
  if (columns % wanted.block() == 0) return wanted;
  for (const auto& [type, smaller] : kSmaller)
    if (type == wanted.blocks->name && columns % gguf_type_named(smaller).block() == 0)
      return gguf_type_named(smaller);
  return {nullptr, DType::kF16};
}

}  // namespace nibble
