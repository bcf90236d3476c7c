#include "model/config/rope_settings.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "base/text.h"
#include "model/config/checked_keys.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr const char* kFull = "full_attention";
constexpr const char* kSliding = "sliding_attention";

// An object of settings; null where it is absent or empty, which transformers treats alike.
const Json* object_at(const Json& parent, const char* key) {
  const auto found = parent.find(key);
  if (found == parent.end() || found->is_null()) return nullptr;
  if (!found->is_object())
    throw Error(ErrorKind::kCorruptFile,
                cat("\"", key, "\" is of type ", found->type_name(), "; expected an object"));
  return found->empty() ? nullptr : &*found;
}

bool has_kinds(const Json& settings) {
  return settings.contains(kFull) || settings.contains(kSliding);
}

// transformers 5 may give one object for each kind of layer: that of `kind`, or of the other kind
// when there is only that.
const Json* of_kind(const Json* settings, const char* kind) {
  if (settings == nullptr || !has_kinds(*settings)) return settings;
  for (const char* tried : {kind, kFull, kSliding})
    if (const Json* own = object_at(*settings, tried)) return own;
  return nullptr;
}

std::string kind_of(const Json& settings) {
  return json_string(settings, "rope_type", json_string(settings, "type", "default"));
}

void refuse_partial_rotation(const Json& object) {
  if (const double part = json_number(object, "partial_rotary_factor", 1); part != 1)
    unsupported("partial_rotary_factor", cat(part), "1");
}

// A number without which a kind of scaling means nothing.
double needed(const Json& settings, const char* key) {
  if (const auto found = settings.find(key); found == settings.end() || found->is_null())
    throw Error(ErrorKind::kCorruptFile,
                cat("rope_type \"", kind_of(settings), "\" without \"", key, "\""));
  return positive(settings, key, 0);
}

// Positions before the context was stretched.
double original_context(const Json& config, const Json& settings, std::size_t context) {
  const char* key = "original_max_position_embeddings";
  return positive(config, key, positive(settings, key, static_cast<double>(context)));
}

// Peng et al. 2023: what long contexts do to attention is made up for by larger scores.
double yarn_attention_factor(const Json& settings, double factor) {
  const auto grown = [factor](double share) {
    return factor <= 1 ? 1.0 : 0.1 * share * std::log(factor) + 1;
  };
  const double scale = number_in(settings, "mscale", 0, 0, 1e6);
  const double scale_all = number_in(settings, "mscale_all_dim", 0, 0, 1e6);
  const bool both = scale != 0 && scale_all != 0;
  return positive(settings, "attention_factor", both ? grown(scale) / grown(scale_all) : grown(1));
}

void read_yarn(const Json& config, const Json& settings, std::size_t context, Rope& rope) {
  rope.scaling = RopeScaling::kYarn;
  rope.original_context = original_context(config, settings, context);
  rope.factor =
      settings.contains("factor")
          ? positive(settings, "factor", static_cast<double>(context) / rope.original_context)
          : needed(settings, "factor");
  rope.attention_factor = yarn_attention_factor(settings, rope.factor);
  rope.beta_fast = positive(settings, "beta_fast", rope.beta_fast);
  rope.beta_slow = positive(settings, "beta_slow", rope.beta_slow);
  rope.truncate = json_bool(settings, "truncate", true);
  if (rope.theta <= 1)
    throw Error(ErrorKind::kCorruptFile,
                cat("\"rope_theta\" is ", rope.theta, "; yarn expects more than 1"));
}

void read_long_waves(const Json& config, const Json& settings, std::size_t context, Rope& rope) {
  rope.scaling = RopeScaling::kLlama3;
  rope.factor = needed(settings, "factor");
  rope.low_freq_factor = needed(settings, "low_freq_factor");
  rope.high_freq_factor = needed(settings, "high_freq_factor");
  rope.original_context = original_context(config, settings, context);
  if (rope.high_freq_factor <= rope.low_freq_factor)
    throw Error(ErrorKind::kCorruptFile, "\"high_freq_factor\" is not above \"low_freq_factor\"");
}

void read_scaling(const Json& config, const Json& settings, std::size_t context, Rope& rope) {
  refuse_partial_rotation(settings);
  if (settings.contains("factor") && !settings.contains("rope_type") && !settings.contains("type"))
    throw Error(ErrorKind::kCorruptFile, "a rope with \"factor\" but without \"rope_type\"");
  const std::string kind = kind_of(settings);
  if (kind == "default") return;
  if (kind == "linear") {
    rope.scaling = RopeScaling::kLinear;
    rope.factor = needed(settings, "factor");
  } else if (kind == "llama3") {
    read_long_waves(config, settings, context, rope);
  } else if (kind == "yarn") {
    read_yarn(config, settings, context, rope);
  } else {
    unsupported("rope_type", cat('"', kind, '"'), "default, linear, llama3, yarn");
  }
}

// The two places in which settings of one rope may stand; either may be null.
struct Places {
  const Json* scaling;     // rope_scaling
  const Json* parameters;  // rope_parameters
};

const Json& object_or_empty(const Json* object) {
  static const Json kEmpty = Json::object();
  return object != nullptr ? *object : kEmpty;
}

// rope_scaling, where there is one, was added to the config for a reason and counts. `theta` is the
// base where that says nothing of it.
Rope read_rope(const Json& config, Places places, double theta, const HyperParams& hyper) {
  const Json& counting =
      object_or_empty(places.scaling != nullptr ? places.scaling : places.parameters);
  Rope rope;
  rope.theta = positive(counting, "rope_theta", theta);
  read_scaling(config, counting, hyper.context, rope);
  return rope;
}

void note_both(const Json* scaling, const Json* parameters, HyperParams& hyper) {
  if (scaling == nullptr || parameters == nullptr) return;
  const auto told = [](const Json& settings) {
    return settings.contains("factor") ? cat(kind_of(settings), " ", text_of(settings["factor"]))
                                       : kind_of(settings);
  };
  const std::string counting = told(*scaling), other = told(*parameters);
  if (counting != other)
    hyper.notes.push_back(cat("rope_scaling says ", counting, ", rope_parameters say ", other,
                              ": rope_scaling counts"));
}

// Layers with a window have a rope of their own, which rope_scaling does not speak of.
void read_two_ropes(const Json& config, const ModelSpec& spec, Places places, HyperParams& hyper) {
  const Json* own = nullptr;
  if (places.parameters != nullptr) {
    if (!has_kinds(*places.parameters))
      throw Error(ErrorKind::kUnsupported,
                  cat("\"rope_parameters\" are not given for each kind of layer; supported: {\"",
                      kFull, "\": {…}, \"", kSliding, "\": {…}}"));
    own = object_at(*places.parameters, kSliding);
    places.parameters = object_at(*places.parameters, kFull);
  }
  note_both(places.scaling, places.parameters, hyper);
  const auto theta_of = [&](const Json* parameters, const char* key, double otherwise) {
    return positive(object_or_empty(parameters), "rope_theta", positive(config, key, otherwise));
  };
  hyper.rope = read_rope(config, places,
                         theta_of(places.parameters, "rope_theta", spec.default_theta), hyper);
  hyper.window_rope =
      read_rope(config, {nullptr, own},
                theta_of(own, "rope_local_base_freq", spec.default_window_theta), hyper);
}

double yarn_share(const Rope& rope, std::size_t head_dim, double i) {
  const auto width = static_cast<double>(head_dim);
  const auto turning = [&](double turns) {  // the pair that makes so many turns in the context
    return width * std::log(rope.original_context / (turns * 2 * std::numbers::pi)) /
           (2 * std::log(rope.theta));
  };
  double low = turning(rope.beta_fast), high = turning(rope.beta_slow);
  if (rope.truncate) low = std::floor(low), high = std::ceil(high);
  low = std::max(low, 0.0), high = std::min(high, width - 1);
  if (low == high) high += 0.001;
  return std::clamp((i - low) / (high - low), 0.0, 1.0);
}

double llama3_frequency(const Rope& rope, double f) {
  const double wavelength = 2 * std::numbers::pi / f;
  if (wavelength > rope.original_context / rope.low_freq_factor) return f / rope.factor;
  if (wavelength < rope.original_context / rope.high_freq_factor) return f;
  const double t = (rope.original_context / wavelength - rope.low_freq_factor) /
                   (rope.high_freq_factor - rope.low_freq_factor);
  return (1 - t) * f / rope.factor + t * f;
}

}  // namespace

void read_ropes(const Json& config, const ModelSpec& spec, HyperParams& hyper) {
  refuse_partial_rotation(config);
  const Places places{object_at(config, "rope_scaling"), object_at(config, "rope_parameters")};
  if (spec.default_window_theta != 0) return read_two_ropes(config, spec, places, hyper);
  const auto rope_for = [&](const char* kind) {
    const Places own{of_kind(places.scaling, kind), of_kind(places.parameters, kind)};
    const Json& parameters = object_or_empty(own.parameters);
    const double theta =
        positive(config, "rope_theta", positive(parameters, "rope_theta", spec.default_theta));
    return read_rope(config, own, theta, hyper);
  };
  note_both(of_kind(places.scaling, kFull), of_kind(places.parameters, kFull), hyper);
  hyper.rope = rope_for(kFull);
  hyper.window_rope = rope_for(kSliding);
}

std::vector<double> rope_frequencies(const Rope& rope, std::size_t head_dim) {
  std::vector<double> frequencies(head_dim / 2);
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const auto place = static_cast<double>(i);
    const double f = std::pow(rope.theta, -2.0 * place / static_cast<double>(head_dim));
    switch (rope.scaling) {
      case RopeScaling::kNone:
        frequencies[i] = f;
        break;
      case RopeScaling::kLinear:
        frequencies[i] = f / rope.factor;
        break;
      case RopeScaling::kLlama3:
        frequencies[i] = llama3_frequency(rope, f);
        break;
      case RopeScaling::kYarn: {
        const double share = yarn_share(rope, head_dim, place);
        frequencies[i] = share * f / rope.factor + (1 - share) * f;
        break;
      }
    }
  }
  return frequencies;
}

}  // namespace nibble
