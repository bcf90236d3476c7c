#include "quantize/tensor_types.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "base/parallel.h"
#include "base/text.h"
#include "kernels/kernels.h"
#include "model/gguf/names.h"
#include "nibble/error.h"
#include "quantize/patterns.h"
#include "quantize/recipe.h"

namespace nibble {
namespace {

constexpr std::size_t kRowsAtOnce = 256;

constexpr GgufPart part_of(Role role) {
  switch (role) {
    case Role::kQuery:
      return GgufPart::kQuery;
    case Role::kKey:
      return GgufPart::kKey;
    case Role::kValue:
      return GgufPart::kValue;
    case Role::kOutput:
      return GgufPart::kAttentionOutput;
    case Role::kGate:
      return GgufPart::kGate;
    case Role::kUp:
      return GgufPart::kUp;
    case Role::kDown:
      break;
  }
  return GgufPart::kDown;
}

GgufModelFacts facts_of(const ModelSource& source, const QuantizeOptions& options) {
  const HyperParams& hyper = source.hyper();
  const std::string_view architecture = source.spec().gguf_name;
  GgufModelFacts facts;
  facts.shared_values = hyper.heads >= 4 * hyper.kv_heads;
  facts.seventy_billion =
      hyper.layers == 80 &&
      (architecture == "qwen2" || (architecture == "llama" && hyper.heads != hyper.kv_heads));
  facts.tied = hyper.tied_head;
  facts.importance = methods::named(options.method).needs == Needs::kHessian;
  return facts;
}

class Chooser {
 public:
  Chooser(const ModelSource& source, const QuantizeOptions& options, Recipe& recipe)
      : options_(options),
        types_(options.types),
        recipe_(recipe),
        facts_(facts_of(source, options)),
        layers_(source.hyper().layers) {
    const std::string& mix = recipe.layout_settings.mix;
    if (!mix.empty()) mix_ = &gguf_mixes::named(mix);
    for (const auto& [pattern, type] : types_.tensors) {
      patterns_.add(pattern);
      asked_.push_back(gguf_type_named(type));
    }
  }

  void layers() {
    std::vector<PlannedModule> kept;
    for (PlannedModule& module : recipe_.modules) {
      const std::string gguf = gguf_tensor_name(
          cat("model.layers.", module.layer, ".", module_name(module.role), ".weight"), false);
      PlannedTensor tensor{
          cat(module.name, ".weight"), module.name,         part_of(module.role), module.layer, {},
          module.shape.rows,           module.shape.columns};
      const bool chosen = choose(gguf, tensor);
      if (chosen && tensor.type.blocks == nullptr) {
        if (!options_.transforms.empty())
          throw Error(ErrorKind::kInvalidArgument,
                      cat(module.name, " would be stored as ", name(tensor.type),
                          ", which --transform does not know about"),
                      "leave --transform out, or give the tensor a type of blocks");
        recipe_.layout_settings.skipped.push_back(module.name);
        recipe_.tensors.push_back(std::move(tensor));
        continue;
      }
      if (chosen)
        recipe_.layout_settings.dialects[module.name] = std::string(tensor.type.blocks->name);
      kept.push_back(std::move(module));
    }
    recipe_.modules = std::move(kept);
  }

  // `asked`: the option that names this one's type.
  void outside(PlannedTensor tensor, std::string_view gguf, const std::string& asked,
               std::string_view option) {
    if (!asked.empty()) {
      tensor.type = gguf_type_named(asked);
      if (tensor.columns % tensor.type.block() != 0)
        throw Error(ErrorKind::kInvalidArgument,
                    cat(option, " ", asked, ": rows of ", tensor.columns,
                        " are no multiple of the ", tensor.type.block(), " weights in a block"),
                    cat("take ", name(gguf_type_for_rows(tensor.type, tensor.columns))));
    } else if (!choose(std::string(gguf), tensor)) {
      return;
    }
    recipe_.tensors.push_back(std::move(tensor));
  }

  void finish() {
    patterns_.require_matches();
    for (const auto& [change, count] : smaller_)
      recipe_.notes.push_back(cat(count, count == 1 ? " tensor becomes " : " tensors become ",
                                  change.second, " instead of ", change.first,
                                  ", whose blocks do not divide its rows"));
  }

  bool tied() const { return facts_.tied; }

 private:
  // False: nothing says a type for it.
  bool choose(const std::string& gguf, PlannedTensor& tensor) {
    auto match = patterns_.match(gguf);
    if (!match) match = patterns_.match(tensor.name);
    if (match) {
      ++decided_elsewhere_[tensor.part];
      return take(asked_[*match], tensor);
    }
    if (types_.pure) return take(gguf_type_named(options_.dialect), tensor);
    if (mix_ == nullptr) return false;
    const GgufPlace place{tensor.part, tensor.layer - decided_elsewhere_[tensor.part], layers_,
                          tensor.columns};
    return take(gguf_mixes::type_of(*mix_, place, facts_), tensor);
  }

  bool take(GgufType wanted, PlannedTensor& tensor) {
    tensor.type = gguf_type_for_rows(wanted, tensor.columns);
    if (name(tensor.type) != name(wanted)) ++smaller_[{name(wanted), name(tensor.type)}];
    return true;
  }

  const QuantizeOptions& options_;
  const TypeOptions& types_;
  Recipe& recipe_;
  GgufModelFacts facts_;
  std::size_t layers_;
  const GgufMix* mix_ = nullptr;
  Patterns patterns_{"--tensor-type"};
  std::vector<GgufType> asked_;
  std::map<GgufPart, std::size_t> decided_elsewhere_;  // before this layer, of each part
  std::map<std::pair<std::string_view, std::string_view>, std::size_t> smaller_;
};

std::unique_ptr<Linear> linear_of(const ModelSource& source, const PlannedTensor& tensor,
                                  Block& block) {
  if (tensor.part == GgufPart::kEmbedding) return source.embedding();
  if (tensor.part == GgufPart::kHead) return source.head();
  block = source.block(tensor.layer);
  for (std::size_t role = 0; role < kRoles; ++role)
    if (part_of(static_cast<Role>(role)) == tensor.part) return std::move(block.linears[role]);
  return nullptr;
}

// One row in its type, and the weights that this means.
void store_row(const GgufType& type, const float* weights, std::size_t columns, std::byte* out,
               float* meant) {
  if (type.blocks != nullptr) {
    auto* blocks = reinterpret_cast<std::uint8_t*>(out);
    type.blocks->encode(weights, nullptr, columns / type.blocks->block, blocks);
    type.blocks->decode(blocks, columns / type.blocks->block, meant);
    return;
  }
  if (type.dtype == DType::kF32) {
    std::copy_n(weights, columns, reinterpret_cast<float*>(out));
    std::copy_n(weights, columns, meant);
    return;
  }
  auto* words = reinterpret_cast<std::uint16_t*>(out);
  const bool half = type.dtype == DType::kF16;
  (half ? kernels().float_to_half : kernels().float_to_bfloat16)(weights, words, columns);
  (half ? kernels().half_to_float : kernels().bfloat16_to_float)(words, meant, columns);
}

// "0-2, 5" of numbers that rise.
std::string ranges_text(const std::vector<std::size_t>& numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t end = i + 1;
    while (end < numbers.size() && numbers[end] == numbers[end - 1] + 1) ++end;
    text += cat(text.empty() ? "" : ", ", numbers[i]);
    if (end > i + 1) text += cat("-", numbers[end - 1]);
    i = end;
  }
  return text;
}

}  // namespace

TensorInfo PlannedTensor::info() const {
  return {name,
          type.blocks != nullptr ? DType::kU8 : type.dtype,
          {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)},
          rows * (columns / type.block() * type.block_bytes()),
          type.blocks};
}

QuantizeOptions with_base_type(const QuantizeOptions& asked, std::string& mix) {
  QuantizeOptions options = asked;
  if ((asked.types.mix || asked.types.pure) && asked.dialect.empty())
    throw Error(ErrorKind::kInvalidArgument,
                cat(asked.types.mix ? "--mix" : "--pure", " needs to know of which type"),
                "add --type Q4_K_M, or another (docs/methods.md lists them)");
  const GgufMix* found = gguf_mixes::find(asked.dialect, asked.types.mix);
  if (found == nullptr && asked.types.mix)
    throw Error(ErrorKind::kInvalidArgument, cat("--mix: \"", asked.dialect, "\" is no mix"),
                "leave --mix out, or take one that docs/methods.md lists: --type Q4_K_M");
  const bool elsewhere = !asked.layout.empty() && asked.layout != "gguf";
  if (found == nullptr || elsewhere) return options;
  mix = gguf_mixes::name(*found);
  options.dialect = gguf_mixes::base(*found).name;
  return options;
}

void choose_types(const ModelSource& source, const QuantizeOptions& options,
                  const std::set<std::string>& unusable, Recipe& recipe) {
  const TypeOptions& types = options.types;
  if (!types.any() && recipe.layout_settings.mix.empty()) return;
  if (recipe.layout->name != "gguf")
    throw Error(ErrorKind::kInvalidArgument,
                cat("types of single tensors are for GGUF files; layout ", recipe.layout->name,
                    " was asked for"),
                "name the output NAME.gguf, or use --override");
  Chooser chooser(source, options, recipe);
  chooser.layers();
  const TensorNames& names = source.names();
  const HyperParams& hyper = source.hyper();
  const bool own = !chooser.tied() || has_module(source.checkpoint(), names.embedding());
  const auto planned = [&](const std::string& module, std::string shown, GgufPart part) {
    return PlannedTensor{cat(module, ".weight"), std::move(shown), part, 0, {},
                         hyper.vocabulary,       hyper.hidden};
  };
  const std::string embedding = own ? names.embedding() : names.head();
  if (!unusable.contains(embedding)) {
    // The head of such a model is its embedding.
    const bool as_head = chooser.tied() && types.embedding.empty() && !types.pure;
    chooser.outside(planned(embedding, "embed_tokens", GgufPart::kEmbedding), "token_embd.weight",
                    as_head ? types.head : types.embedding,
                    as_head ? "--output-tensor-type" : "--token-embedding-type");
  }
  if (!chooser.tied() && !unusable.contains(names.head()))
    chooser.outside(planned(names.head(), "lm_head", GgufPart::kHead), "output.weight", types.head,
                    "--output-tensor-type");
  chooser.finish();
}

StoredTensor stored_tensor(const ModelSource& source, const PlannedTensor& tensor) {
  Block block;
  const auto linear = linear_of(source, tensor, block);
  const std::size_t row_bytes = tensor.columns / tensor.type.block() * tensor.type.block_bytes();
  StoredTensor stored;
  stored.bytes.resize(tensor.rows * row_bytes);
  Tensor weights(std::min(kRowsAtOnce, tensor.rows), tensor.columns);
  Tensor meant(weights.view().rows, tensor.columns);
  std::vector<double> lost(weights.view().rows), all(weights.view().rows);
  double lost_sum = 0, sum = 0;
  for (std::size_t first = 0; first < tensor.rows; first += kRowsAtOnce) {
    throw_if_stopped();
    const std::size_t count = std::min(kRowsAtOnce, tensor.rows - first);
    linear->decode(first, {weights.view().row(0), count, tensor.columns});
    parallel_ranges(count, 8, [&](std::size_t begin, std::size_t end) {
      for (std::size_t r = begin; r < end; ++r) {
        const float* row = weights.view().row(r);
        float* back = meant.view().row(r);
        store_row(tensor.type, row, tensor.columns, stored.bytes.data() + (first + r) * row_bytes,
                  back);
        lost[r] = all[r] = 0;
        for (std::size_t c = 0; c < tensor.columns; ++c) {
          const double weight = row[c], difference = weight - static_cast<double>(back[c]);
          lost[r] += difference * difference;
          all[r] += weight * weight;
        }
      }
    });
    for (std::size_t r = 0; r < count; ++r) {
      lost_sum += lost[r];
      sum += all[r];
    }
  }
  stored.weight_error = sum > 0 ? lost_sum / sum : 0;
  return stored;
}

std::vector<std::string> type_lines(const Recipe& recipe) {
  struct Group {
    double weights = 0;
    std::vector<std::pair<std::string, std::vector<std::size_t>>> parts;
  };
  std::map<std::string, Group> groups;
  const auto add = [&](std::string_view type, std::string_view part, const std::size_t* layer,
                       std::size_t weights) {
    Group& group = groups[std::string(type)];
    group.weights += static_cast<double>(weights);
    auto found = std::find_if(group.parts.begin(), group.parts.end(),
                              [&](const auto& entry) { return entry.first == part; });
    if (found == group.parts.end()) found = group.parts.insert(found, {std::string(part), {}});
    if (layer != nullptr) found->second.push_back(*layer);
  };
  for (const PlannedModule& module : recipe.modules)
    if (module.storable.blocks != nullptr)
      add(module.storable.blocks->name, module_name(module.role), &module.layer,
          module.shape.rows * module.shape.columns);
  for (const PlannedTensor& tensor : recipe.tensors) {
    const bool outside = tensor.part == GgufPart::kEmbedding || tensor.part == GgufPart::kHead;
    std::string_view part = tensor.module;
    for (std::size_t role = 0; role < kRoles && !outside; ++role)
      if (part_of(static_cast<Role>(role)) == tensor.part)
        part = module_name(static_cast<Role>(role));
    add(name(tensor.type), part, outside ? nullptr : &tensor.layer, tensor.rows * tensor.columns);
  }
  std::vector<std::pair<double, std::string>> sorted;
  for (const auto& [type, group] : groups) {
    std::vector<std::string> parts;
    for (const auto& [part, layers] : group.parts)
      parts.push_back(layers.empty() ? part : cat(part, " ", ranges_text(layers)));
    sorted.emplace_back(group.weights, cat(type, ": ", join(parts, "; ")));
  }
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::string> lines;
  for (auto& [weights, line] : sorted) lines.push_back(std::move(line));
  return lines;
}

}  // namespace nibble
