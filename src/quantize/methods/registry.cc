// The methods that list.def names.
#include "base/text.h"
#include "checkpoint/gguf_type.h"
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

// The name in a registry that a word is, whatever its capitals; empty: none.
template <typename Entries>
std::string_view found_in(const Entries& entries, std::string_view word) {
  for (const auto* entry : entries)
    if (gguf_named_alike(entry->name, word)) return entry->name;
  return {};
}

// Where the word belongs that is no method; empty: nowhere.
std::string other_option(std::string_view word) {
  if (const auto name = found_in(all(), word); !name.empty()) return cat("write --method ", name);
  if (const auto name = found_in(transforms::all(), word); !name.empty())
    return cat("it rewrites weights before a method: --transform ", name);
  if (const auto name = found_in(grids::all(), word); !name.empty())
    return cat("it is a grid: --grid ", name);
  if (const auto name = found_in(layouts::all(), word); !name.empty())
    return cat("it is a container: --layout ", name);
  if (const Layout* layout = layouts::with_dialect(word))
    return cat("it is a form of the layout ", layout->name, ": --type ", word);
  for (const auto& [name, options] : kElsewhere)
    if (gguf_named_alike(name, word)) return cat("write ", options);
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
