// The grids that list.def names.
#include "base/text.h"
#include "formats/grid.h"
#include "nibble/error.h"

namespace nibble::grids {

#define GRID(name) extern const Grid name;
#include "formats/grids/list.def"
#undef GRID

std::span<const Grid* const> all() {
  static const Grid* const list[] = {
#define GRID(name) &name,
#include "formats/grids/list.def"
#undef GRID
  };
  return list;
}

const Grid* find(std::string_view name) {
  for (const Grid* grid : all())
    if (grid->name == name) return grid;
  return nullptr;
}

const Grid& named(std::string_view wanted) {
  if (const Grid* grid = find(wanted)) return *grid;
  std::vector<std::string> known;
  for (const Grid* grid : all()) known.emplace_back(grid->name);
  throw unknown_word("grid", wanted, known, " (nibble formats tells more)");
}

const Grid& uniform(int bits) {
  if (const Grid* grid = find(cat("int", bits)); grid != nullptr && grid->uniform()) return *grid;
  throw Error(ErrorKind::kUnsupported, cat("there is no uniform grid of ", bits, " bits"));
}

const Grid& stored(const Grid& grid) { return grid.centred ? uniform(grid.bits) : grid; }

}  // namespace nibble::grids
