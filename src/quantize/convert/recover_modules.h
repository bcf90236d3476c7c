// The grids that the linear layers of an unquantized model lie on, if they do: of models that were
// trained on one, or decoded from one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "model/source.h"
#include "quantize/convert/grid_forms.h"

namespace nibble {

struct RecoveredModule {
  std::string name;    // "….q_proj": its weights are the tensor "….q_proj.weight"
  DenseMatrix matrix;  // lies in the source
  GridForm form;

  CodeShape shape() const { return code_shape(matrix.rows, matrix.columns, form.settings); }
};

struct Recovery {
  // All linear layers in the order of the model; in blocks also embedding and head, if they lie on
  // a grid, too.
  std::vector<RecoveredModule> modules;
  std::size_t layers = 0;      // how many of them are linear layers
  std::string dialect;         // that holds them; of blocks: the type of most
  DType dtype = DType::kBF16;  // of scales, where the layout has the model's for them
  bool symmetric = true;
};

// Looks at all linear layers of the source, whose weights are F16, BF16 or F32, and for each takes
// the smallest form that keeps every weight: decoded and rounded to its type it is the same number.
// Where the layout wants all layers alike, one form for all. `progress` gets a layer's name and the
// share that is done. Throws kInvalidArgument for a hint that the layout does not know,
// kUnsupported naming the first layer that lies on no grid and how many do.
Recovery recover_modules(
    const ModelSource& source, const Layout& layout, const GridHint& hint,
    const std::function<void(const std::string& name, double share)>& progress);

// Codes of a module without blocks, found again: the same on every call.
Codes recovered_codes(const RecoveredModule& module, const Layout& layout,
                      const LayoutSettings& settings);
// The rows of one with blocks.
std::vector<std::byte> recovered_blocks(const RecoveredModule& module);

}  // namespace nibble
