// What would do where a layout refuses what was asked: other group sizes, other layouts.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "checkpoint/layout.h"

namespace nibble {

// The usual sizes of groups in which `layout` holds codes of this shape's grid in such rows, "-1"
// for a row; empty where it holds none of them.
std::vector<std::string> fitting_groups(const Layout& layout, const CodeShape& shape);

// The layouts that hold modules of all these grids in one checkpoint, by name.
std::vector<std::string> layouts_of_all(std::span<const Grid* const> grids);

}  // namespace nibble
