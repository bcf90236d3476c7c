// The architectures that list.def names.
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "model/spec.h"
#include "nibble/error.h"

namespace nibble {
namespace specs {

#define SPEC(name) extern const ModelSpec name;
#include "model/specs/list.def"
#undef SPEC

std::span<const ModelSpec* const> all() {
  static const ModelSpec* const list[] = {
#define SPEC(name) &name,
#include "model/specs/list.def"
#undef SPEC
  };
  return list;
}

}  // namespace specs

const ModelSpec& find_spec(const Json& config) {
  std::string asked;
  if (const auto found = config.find("architectures");
      found != config.end() && found->is_array() && !found->empty() && found->front().is_string())
    asked = found->front().get<std::string>();
  const std::string type = json_string(config, "model_type", "");
  std::vector<std::string> known;
  for (const ModelSpec* spec : specs::all()) {
    if (spec->hf_class == asked ||
        (asked.empty() && type == (spec->hf_type.empty() ? spec->name : spec->hf_type)))
      return *spec;
    known.emplace_back(spec->hf_class);
  }
  throw Error(ErrorKind::kUnsupported,
              cat("architecture \"", asked, "\" (model_type \"", type, "\") is not supported"),
              cat("supported: ", join(known, ", ")));
}

}  // namespace nibble
