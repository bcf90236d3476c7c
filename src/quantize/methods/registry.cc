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
  throw unknown_word("method", wanted, known, " (nibble methods tells more)");
}

}  // namespace nibble::methods
