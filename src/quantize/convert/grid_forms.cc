#include "quantize/convert/grid_forms.h"

#include <algorithm>

#include "base/text.h"
#include "checkpoint/gguf_type.h"
#include "nibble/error.h"
#include "quantize/convert/convert.h"
#include "quantize/recovery/recover_blocks.h"
#include "quantize/recovery/recover_codes.h"

namespace nibble {
namespace {

constexpr std::size_t kSampleRows = 4;  // at the beginning, in the middle and at the end
constexpr std::size_t kGroupSizes[] = {0, 256, 128, 64, 32, 16};

bool has_dialect(const Layout& layout, const Grid& grid, const std::string& dialect) {
  if (dialect.empty()) return true;
  const auto known = layouts::dialects_for(layout, grid);
  return std::find(known.begin(), known.end(), dialect) != known.end();
}

// Does the layout hold such codes in this dialect?
bool holds(const Layout& layout, const CodeShape& shape, const LayoutSettings& settings) {
  if (!layout.refusal(shape).empty()) return false;
  try {
    layout.storable(shape, settings);
    return true;
  } catch (const Error&) {
    return false;
  }
}

bool hinted(const GridHint& hint, std::string_view grid, std::size_t group) {
  return (hint.grid.empty() || hint.grid == grid) &&
         (hint.group_size == GridHint::kAnyGroup || hint.group_size == group);
}

}  // namespace

std::string GridForm::text() const {
  if (blocks != nullptr) return std::string(blocks->name);
  return settings.group_size == 0 ? cat(settings.grid->name, " by row")
                                  : cat(settings.grid->name, " in groups of ", settings.group_size);
}

bool writes_blocks(const Layout& layout) { return !layout.suffix.empty(); }

std::vector<GridForm> grid_forms(const Layout& layout, const LayoutSettings& settings,
                                 const GridHint& hint, const DenseMatrix& matrix) {
  std::vector<GridForm> forms;
  if (writes_blocks(layout)) {
    for (const BlockFormat* format : block_formats::all())
      if (recoverable(*format) && matrix.columns % format->block == 0 &&
          (hint.dialect.empty() || gguf_named_alike(format->name, hint.dialect)) &&
          hinted(hint, format->grid, format->group))
        forms.push_back({format,
                         {},
                         8.0 * static_cast<double>(format->row_bytes(format->block)) /
                             static_cast<double>(format->block)});
  } else {
    for (const Grid* grid : grids::all()) {
      if (grid->dimension != 1 || grid->bits > 8 || !has_dialect(layout, *grid, settings.dialect))
        continue;
      for (const std::size_t group : kGroupSizes) {
        if (group >= matrix.columns || !hinted(hint, grid->name, group)) continue;
        const ModuleSettings own{grid, group};
        const CodeShape shape = code_shape(matrix.rows, matrix.columns, own);
        if (holds(layout, shape, settings))
          forms.push_back({nullptr, own, layout.bits_per_weight(shape, settings)});
      }
    }
  }
  std::stable_sort(forms.begin(), forms.end(), [](const GridForm& a, const GridForm& b) {
    return a.bits_per_weight < b.bits_per_weight;
  });
  return forms;
}

std::optional<Misfit> misfit(const Layout& layout, const GridForm& form, const DenseMatrix& matrix,
                             LayoutSettings& settings) {
  if (form.blocks != nullptr) {
    std::vector<std::byte> blocks;
    return recover_blocks(*form.blocks, matrix, blocks);
  }
  const CodeShape shape = code_shape(matrix.rows, matrix.columns, form.settings);
  const Storable storable = layout.storable(shape, settings);
  Codes codes;
  if (const auto found = recover_codes(matrix, shape, storable, codes)) return found;
  if (!loss_of(codes, storable).empty()) return Misfit{};
  settings.symmetric &= zeros_in_the_middle(codes);
  return std::nullopt;
}

bool sample_fits(const Layout& layout, const GridForm& form, const DenseMatrix& matrix,
                 const LayoutSettings& settings) {
  const std::size_t rows = std::min(kSampleRows, matrix.rows);
  LayoutSettings ignored = settings;
  // Multiples of the sample: rows that share their scales are more than that.
  for (const std::size_t place : {std::size_t{0}, matrix.rows / 2, matrix.rows - rows}) {
    const std::size_t first = place / kSampleRows * kSampleRows;
    if (misfit(layout, form, matrix.part(first, std::min(rows, matrix.rows - first)), ignored))
      return false;
  }
  return true;
}

}  // namespace nibble
