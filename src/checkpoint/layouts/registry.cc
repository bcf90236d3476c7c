// The layouts that list.def names.
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "checkpoint/foreign.h"
#include "checkpoint/layout.h"
#include "nibble/error.h"

namespace nibble::layouts {

#define LAYOUT(name) extern const Layout name;
#include "checkpoint/layouts/list.def"
#undef LAYOUT

std::span<const Layout* const> all() {
  static const Layout* const list[] = {
#define LAYOUT(name) &name,
#include "checkpoint/layouts/list.def"
#undef LAYOUT
  };
  return list;
}

const Layout& named(std::string_view wanted) {
  std::vector<std::string> known;
  for (const Layout* layout : all()) {
    if (layout->name == wanted) return *layout;
    known.emplace_back(layout->name);
  }
  throw Error(ErrorKind::kInvalidArgument, cat("unknown layout \"", wanted, "\""),
              cat("one of: ", join(known, ", ")));
}

std::string dialect_of(const Layout& layout, std::string_view wanted) {
  if (wanted.empty())
    return layout.dialects.empty() ? std::string() : std::string(layout.dialects.front());
  for (const std::string_view dialect : layout.dialects)
    if (dialect == wanted) return std::string(dialect);
  const std::vector<std::string> known(layout.dialects.begin(), layout.dialects.end());
  throw Error(ErrorKind::kInvalidArgument,
              cat("layout ", layout.name, " has no dialect \"", wanted, "\""),
              known.empty() ? std::string("leave --checkpoint-format out")
                            : cat("one of: ", join(known, ", ")));
}

const Layout* claiming(const Json& config) {
  const auto found = config.find("quantization_config");
  if (found == config.end() || found->is_null()) return nullptr;
  for (const Layout* layout : all())
    if (layout->claims(*found)) return layout;
  refuse_foreign_quantization(*found);
}

}  // namespace nibble::layouts

namespace nibble {

CodeShape code_shape(std::size_t rows, std::size_t columns, const ModuleSettings& settings) {
  CodeShape shape;
  shape.grid = settings.grid;
  shape.rows = rows;
  shape.columns = columns;
  shape.group_size = settings.group_size == 0 ? columns : settings.group_size;
  return shape;
}

}  // namespace nibble
