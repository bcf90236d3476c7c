// The methods that list.def names.
#include <algorithm>

#include "base/text.h"
#include "checkpoint/layout.h"
#include "formats/grid.h"
#include "nibble/error.h"
#include "quantize/method.h"
#include "quantize/transform.h"

namespace nibble::methods {
namespace {

// Names that other tools have for a method, a grid and a container at once.
constexpr std::pair<std::string_view, std::string_view> kElsewhere[] = {
    {"llm.int8", "--layout bitsandbytes-int8"},
    {"bnb", "--layout bitsandbytes"},
    {"eetq", "--grid int8 --group-size -1"},
    {"w8a8",
     "--transform smoothquant --layout compressed-tensors --checkpoint-format int-quantized"},
};

// Where the word belongs that is no method; empty: nowhere.
std::string other_option(std::string_view word) {
  const auto is_named = [&](const auto* entry) { return entry->name == word; };
  const auto transforms = transforms::all();
  if (std::any_of(transforms.begin(), transforms.end(), is_named))
    return cat("it rewrites weights before a method: --transform ", word);
  if (grids::find(word) != nullptr) return cat("it is a grid: --grid ", word);
  const auto layouts = layouts::all();
  if (std::any_of(layouts.begin(), layouts.end(), is_named))
    return cat("it is a container: --layout ", word);
  if (const Layout* layout = layouts::with_dialect(word))
    return cat("it is a form of the layout ", layout->name, ": --type ", word);
  for (const auto& [name, options] : kElsewhere)
    if (name == word) return cat("write ", options);
  return {};
}

}  // namespace

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
  if (const std::string fix = other_option(wanted); !fix.empty())
    throw Error(ErrorKind::kInvalidArgument, cat("\"", wanted, "\" is no method here"), fix);
  throw unknown_word("method", wanted, known, " (nibble methods tells more)");
}

}  // namespace nibble::methods
