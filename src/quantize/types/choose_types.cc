#include "quantize/types/choose_types.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "model/gguf/names.h"
#include "nibble/error.h"
#include "quantize/patterns.h"

namespace nibble {
namespace {

GgufModelFacts facts_of(const ModelSource& source, const QuantizeOptions& options) {
  const HyperParams& hyper = source.hyper();
  GgufModelFacts facts;
  facts.shared_values = hyper.heads >= 4 * hyper.kv_heads;
  const auto large = source.spec().gguf_seventy_billion;
  facts.seventy_billion = large != nullptr && large(hyper);
  facts.tied = hyper.tied_head;
  facts.importance =
      methods::named(options.method).needs == Needs::kHessian || !options.imatrix.empty();
  return facts;
}

// How many letters both begin with, whatever their capitals.
std::size_t common_start(std::string_view a, std::string_view b) {
  std::size_t length = 0;
  while (length < std::min(a.size(), b.size()) &&
         gguf_named_alike(a.substr(length, 1), b.substr(length, 1)))
    ++length;
  return length;
}

// Throws where --type is a word that nobody knows: neither mix nor type nor, where it may be a
// folder's, dialect.
void refuse_unknown_type(const QuantizeOptions& options) {
  const std::string& word = options.dialect;
  std::vector<std::string> known = type_words(options.layout);
  if (std::any_of(known.begin(), known.end(),
                  [&](const std::string& name) { return gguf_named_alike(name, word); }))
    return;
  throw unknown_word("--type", word, nearest_first(std::move(known), word),
                     " (nibble formats tells more)");
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
    for (const Override& rule : options.overrides) overrides_.add(rule.pattern);
  }

  void layers() {
    std::vector<PlannedModule> kept;
    for (PlannedModule& module : recipe_.modules) {
      const std::string gguf = gguf_tensor_name(
          cat("model.layers.", module.layer, ".", module_name(module.role), ".weight"), false);
      PlannedTensor tensor{cat(module.name, ".weight"),
                           module.name,
                           gguf_part_of(module.role),
                           module.layer,
                           {},
                           module.shape.rows,
                           module.shape.columns};
      const bool chosen = choose(gguf, tensor);
      // Codes of no grid: nothing that a method could choose.
      if (chosen && (tensor.type.blocks == nullptr || tensor.type.blocks->grid.empty())) {
        if (!options_.transforms.empty())
          throw Error(ErrorKind::kInvalidArgument,
                      cat(module.name, " would be stored as ", name(tensor.type),
                          ", which --transform does not know about"),
                      "leave --transform out, or give the tensor a type of blocks");
        if (tensor.type.blocks == nullptr) recipe_.layout_settings.skipped.push_back(module.name);
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
      refuse_override(tensor.module, types_.tensors[*match].first);
      ++decided_elsewhere_[tensor.part];
      return take(asked_[*match], tensor);
    }
    const std::string& type = types_.layers.empty() ? options_.dialect : types_.layers;
    const bool layer = tensor.part != GgufPart::kEmbedding && tensor.part != GgufPart::kHead;
    if (types_.pure || (layer && mix_ == nullptr && !types_.layers.empty()))
      return take(gguf_type_named(type), tensor);
    if (mix_ == nullptr) return false;
    const GgufPlace place{tensor.part, tensor.layer - decided_elsewhere_[tensor.part], layers_,
                          tensor.columns};
    return take(gguf_mixes::type_of(*mix_, place, facts_), tensor);
  }

  // A grid is of other blocks than the type that was named; a method alone goes with any.
  void refuse_override(const std::string& module, const std::string& pattern) {
    const auto match = overrides_.match(module);
    if (!match) return;
    const Override& rule = options_.overrides[*match];
    if (rule.grid == nullptr && !rule.group_size) return;
    throw Error(ErrorKind::kInvalidArgument,
                cat(module, ": both --tensor-type \"", pattern, "\" and --override \"",
                    rule.pattern, "\" say how it is stored"),
                "leave one of them out, or let their patterns name different modules");
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
  Patterns patterns_{"--tensor-type"}, overrides_{"--override"};
  std::vector<GgufType> asked_;
  std::map<GgufPart, std::size_t> decided_elsewhere_;  // before this layer, of each part
  std::map<std::pair<std::string_view, std::string_view>, std::size_t> smaller_;
};

}  // namespace

std::vector<std::string> type_words(const std::string& layout) {
  std::vector<std::string> known;
  const auto add = [&](std::string_view name) {
    if (std::find(known.begin(), known.end(), name) == known.end()) known.emplace_back(name);
  };
  if (layout.empty() || !layouts::named(layout).suffix.empty()) {
    for (const std::string_view name : gguf_mixes::names()) add(name);
    for (const BlockFormat* format : block_formats::all())
      if (format->encode != nullptr) add(format->name);
    for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) add(name(dtype));
  }
  for (const Layout* own : layouts::all())
    if (layout.empty() || layout == own->name)
      for (const std::string_view dialect : own->dialects) add(dialect);
  return known;
}

std::vector<std::string> nearest_first(std::vector<std::string> words, std::string_view word) {
  std::stable_sort(words.begin(), words.end(), [&](const std::string& a, const std::string& b) {
    return common_start(a, word) > common_start(b, word);
  });
  return words;
}

QuantizeOptions with_base_type(const QuantizeOptions& asked, std::string& mix) {
  QuantizeOptions options = asked;
  if ((asked.types.mix || asked.types.pure) && asked.dialect.empty())
    throw Error(ErrorKind::kInvalidArgument,
                cat(asked.types.mix ? "--mix" : "--pure", " needs to know of which type"),
                "add --type Q4_K_M, or another (docs/methods.md lists them)");
  if (!asked.layout.empty() && asked.layout != "gguf") return options;
  if (!asked.dialect.empty() && !asked.types.mix) refuse_unknown_type(asked);
  const GgufMix* found = gguf_mixes::find(asked.dialect, asked.types.mix);
  if (found == nullptr && asked.types.mix)
    throw Error(ErrorKind::kInvalidArgument, cat("--mix: \"", asked.dialect, "\" is no mix"),
                "leave --mix out, or take one that docs/methods.md lists: --type Q4_K_M");
  if (found != nullptr) {
    mix = gguf_mixes::name(*found);
    options.dialect = gguf_mixes::base(*found).name;
  }
  for (const BlockFormat* format : block_formats::all())
    if (format->grid.empty() && gguf_named_alike(format->name, options.dialect)) {
      options.types.layers = format->name;
      options.layout = "gguf";
      options.dialect.clear();
    }
  // Plain numbers: of everything, as llama-quantize has it.
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16})
    if (!asked.types.mix && gguf_named_alike(name(dtype), options.dialect)) {
      options.types.layers = name(dtype);
      options.types.pure = true;
      options.layout = "gguf";
      options.dialect.clear();
    }
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

}  // namespace nibble
