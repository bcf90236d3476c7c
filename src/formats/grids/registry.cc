// The grids that list.def names.
#include <cstdlib>

#include "base/text.h"
#include "formats/grid.h"
#include "nibble/error.h"

namespace nibble::grids {
namespace {

// Of integers the nearest width that there is, which letters do not tell: int8 for int9.
std::string nearest_width(std::string_view wanted) {
  constexpr std::string_view kInt = "int";
  if (!wanted.starts_with(kInt) || wanted.size() != kInt.size() + 1) return {};
  const int bits = wanted.back() - '0';
  if (bits < 0 || bits > 9) return {};
  const Grid* nearest = nullptr;
  for (const Grid* grid : all())
    if (grid->uniform() && grid->name.starts_with(kInt) &&
        (nearest == nullptr || std::abs(grid->bits - bits) <= std::abs(nearest->bits - bits)))
      nearest = grid;
  return nearest == nullptr ? std::string() : std::string(nearest->name);
}

}  // namespace

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
  if (const std::string near = nearest_width(wanted); !near.empty())
    throw Error(ErrorKind::kInvalidArgument,
                cat("unknown grid \"", wanted, "\"; did you mean ", near, "?"),
                cat("one of: ", join(known, ", "), " (nibble formats tells more)"));
  throw unknown_word("grid", wanted, known, " (nibble formats tells more)");
}

const Grid& uniform(int bits) {
  if (const Grid* grid = find(cat("int", bits)); grid != nullptr && grid->uniform()) return *grid;
  throw Error(ErrorKind::kUnsupported, cat("there is no uniform grid of ", bits, " bits"));
}

const Grid& stored(const Grid& grid) { return grid.centred ? uniform(grid.bits) : grid; }

}  // namespace nibble::grids
