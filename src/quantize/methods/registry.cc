// The methods that list.def names.
#include "base/text.h"
#include "nibble/error.h"
#include "quantize/method.h"

namespace nibble::methods {

#define METHOD(name) extern const Method name;
#include "quantize/methods/list.def"
#undef METHOD

std::span<const Method* const> all() {
  static const Method* const list[] = {
#define METHOD(name) &name,
#include "quantize/methods/list.def"
#undef METHOD
  };
  return list;
}

const Method& named(std::string_view wanted) {
  std::vector<std::string> known;
  for (const Method* method : all()) {
    if (method->name == wanted) return *method;
    known.emplace_back(method->name);
  }
  const std::string near = nearest_name(wanted, known);
  throw Error(
      ErrorKind::kInvalidArgument,
      cat("unknown method \"", wanted, "\"", near.empty() ? "" : cat("; did you mean ", near, "?")),
      cat("one of: ", join(known, ", "), " (nibble methods tells more)"));
}

}  // namespace nibble::methods
