// The methods that list.def names.
#include <string>
#include <vector>

#include "base/text.h"
#include "nibble/error.h"
#include "prune/methods/pruning.h"

namespace nibble::pruning {

#define METHOD(name) extern const Method name;
#include "prune/methods/list.def"
#undef METHOD

std::span<const Method* const> all() {
  static const Method* const list[] = {
#define METHOD(name) &name,
#include "prune/methods/list.def"
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
  throw Error(ErrorKind::kInvalidArgument, cat("--method ", wanted, " prunes nothing here"),
              cat("choose from ", join(known, ", ")));
}

}  // namespace nibble::pruning
