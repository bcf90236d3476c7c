// The transforms that list.def names.
#include "base/text.h"
#include "nibble/error.h"
#include "quantize/transform.h"

namespace nibble::transforms {

#define TRANSFORM(name) extern const Transform name;
#include "quantize/transforms/list.def"
#undef TRANSFORM

std::span<const Transform* const> all() {
  static const Transform* const list[] = {
#define TRANSFORM(name) &name,
#include "quantize/transforms/list.def"
#undef TRANSFORM
  };
  return list;
}

const Transform& named(std::string_view wanted) {
  std::vector<std::string> known;
  for (const Transform* transform : all()) {
    if (transform->name == wanted) return *transform;
    known.emplace_back(transform->name);
  }
  throw unknown_word("transform", wanted, known, " (nibble methods tells more)");
}

}  // namespace nibble::transforms
