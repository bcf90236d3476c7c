#include "cli/grid_words.h"

#include <cmath>
#include <vector>

#include "base/number.h"
#include "base/text.h"
#include "nibble/error.h"
#include "quantize/layer/rounder.h"

namespace nibble::cli {

std::size_t parse_group(const std::string& option, const std::string& text) {
  const auto value = parse_number(text);
  if (!value || *value != std::floor(*value) || *value == 0 || *value < -1 || *value > 1 << 24)
    throw Error(ErrorKind::kInvalidArgument, cat(option, " \"", text, "\" is not a group size"),
                "a number of columns such as 128, or -1 for one group in each row");
  return *value < 0 ? 0 : static_cast<std::size_t>(*value);
}

std::string grid_widths() {
  std::vector<std::string> widths;
  for (const Grid* grid : grids::all())
    if (grid->free_zeros()) widths.push_back(std::to_string(grid->bits));
  return join(widths, ", ");
}

const Grid& grid_of_bits(const std::string& option, int bits) {
  const Grid* grid = grids::find(cat("int", bits));
  if (grid == nullptr)
    throw Error(ErrorKind::kInvalidArgument, cat(option, ": ", bits, " bits are not supported"),
                cat("use ", grid_widths(), ", or name a grid (nibble formats lists them)"));
  return *grid;
}

const Grid& grid_named(const std::string& option, const std::string& text) {
  if (const auto bits = parse_number(text)) return grid_of_bits(option, static_cast<int>(*bits));
  for (const std::string_view word : kSymmetryOption.words)
    if (word == text)
      throw Error(
          ErrorKind::kInvalidArgument,
          cat(option, " names the values that weights may take; ", text, " is a kind of symmetry"),
          cat("--symmetry ", text));
  return grids::named(text);
}

}  // namespace nibble::cli
