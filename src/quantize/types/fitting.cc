#include "quantize/types/fitting.h"

#include <algorithm>

#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::size_t kRows = 4096;  // a matrix that any block divides

CodeShape usual_shape(const Layout& layout, const Grid& grid, std::string_view dialect) {
  const auto usual = layout.usual_groups(grid, dialect);
  return code_shape(kRows, kRows, {&grid, usual.empty() ? 0 : usual.front()});
}

bool holds_all(const Layout& layout, std::span<const Grid* const> grids) {
  if (layout.write == nullptr) return false;
  LayoutSettings settings;
  const auto dialects = layouts::dialects_for(layout, *grids.front());
  if (!dialects.empty()) settings.dialect = dialects.front();
  const CodeShape base = usual_shape(layout, *grids.front(), settings.dialect);
  settings.base = {base.grid, base.group_size};
  for (const Grid* grid : grids) {
    const CodeShape shape = usual_shape(layout, *grid, settings.dialect);
    if (!layout.refusal(shape).empty()) return false;
    try {  // some have one grid for all modules
      layout.storable(shape, settings);
      layout.plan("module", shape, settings);
    } catch (const Error&) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::vector<std::string> fitting_groups(const Layout& layout, const CodeShape& shape) {
  std::vector<std::string> sizes;
  CodeShape tried = shape;
  for (const std::size_t size : {256, 128, 64, 32, 16}) {
    tried.group_size = size;
    if (size < shape.columns && shape.columns % size == 0 && layout.refusal(tried).empty())
      sizes.push_back(std::to_string(size));
  }
  tried.group_size = shape.columns;
  if (layout.refusal(tried).empty()) sizes.emplace_back("-1");
  return sizes;
}

std::vector<std::string> layouts_of_all(std::span<const Grid* const> grids) {
  std::vector<std::string> names;
  for (const Layout* layout : layouts::all())
    if (holds_all(*layout, grids)) names.emplace_back(layout->name);
  return names;
}

}  // namespace nibble
