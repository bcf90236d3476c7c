#include "prune/structure.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {

// SIMD kernels and quantization groups want whole runs of channels.
constexpr std::size_t kGranule = 32;

std::size_t nearest(double share, std::size_t count) {
  return static_cast<std::size_t>(std::lround(share * static_cast<double>(count)));
}

// Of `count` things, `removed` may go: some, and not all.
bool useful(std::size_t removed, std::size_t count) { return removed > 0 && removed < count; }

void choose_heads(const HyperParams& hyper, double share, Structure& structure) {
  const std::size_t groups = hyper.kv_heads, shared = hyper.heads / groups;
  const std::size_t whole = nearest(share, groups), inside = nearest(share, shared);
  const auto off = [&](std::size_t removed, std::size_t count) {
    return useful(removed, count)
               ? std::fabs(static_cast<double>(removed) / static_cast<double>(count) - share)
               : 2;
  };
  const double off_whole = off(whole, groups), off_inside = off(inside, shared);
  if (off_whole > 1 && off_inside > 1)
    throw Error(
        ErrorKind::kInvalidArgument,
        cat("--heads ", share, ": of ", hyper.heads, " heads in ", groups,
            " groups that share a key, none would go or none stay"),
        shared > 1 || groups > 1
            ? cat("the smallest share is ", 1.0 / static_cast<double>(std::max(groups, shared)),
                  "; --channels takes from the MLP")
            : "a model with one head keeps it; --channels takes from the MLP");
  // Of equal choices the one that makes the cache smaller, too.
  if (off_whole <= off_inside) {
    structure.heads = UnitChoice{.unit = shared * hyper.head_dim, .kept = groups - whole};
    structure.kv_heads = groups - whole;
    structure.query_heads = structure.kv_heads * shared;
  } else {
    structure.heads =
        UnitChoice{.sections = groups, .unit = hyper.head_dim, .kept = shared - inside};
    structure.query_heads = groups * (shared - inside);
  }
}

void choose_channels(const HyperParams& hyper, double share, Structure& structure) {
  const std::size_t all = hyper.mlp_hidden, wanted = all - nearest(share, all);
  for (std::size_t granule = kGranule; granule > 0; granule /= 2) {
    const std::size_t kept = (wanted + granule / 2) / granule * granule;
    if (!useful(kept, all)) continue;
    structure.channels = UnitChoice{.kept = kept};
    structure.mlp_hidden = kept;
    return;
  }
  throw Error(ErrorKind::kInvalidArgument,
              cat("--channels ", share, ": of ", all, " channels none would go or none stay"),
              "take a share between 0 and 1 that is at least one channel");
}

}  // namespace

Structure structure_of(const HyperParams& hyper, double heads, double channels) {
  Structure structure{.heads = {},
                      .channels = {},
                      .query_heads = hyper.heads,
                      .kv_heads = hyper.kv_heads,
                      .mlp_hidden = hyper.mlp_hidden};
  if (heads > 0) choose_heads(hyper, heads, structure);
  if (channels > 0) choose_channels(hyper, channels, structure);
  return structure;
}

Json smaller_config(Json config, const HyperParams& hyper, const Structure& structure) {
  config["intermediate_size"] = structure.mlp_hidden;
  config["num_attention_heads"] = structure.query_heads;
  config["num_key_value_heads"] = structure.kv_heads;
  // What readers would take from hidden_size and the number of heads is another number now.
  config["head_dim"] = hyper.head_dim;
  return config;
}

}  // namespace nibble
