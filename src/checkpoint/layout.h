// How quantized linear layers lie in a checkpoint as named tensors: GPTQ's qweight, qzeros, scales,
// g_idx. A layout alone knows its files; nothing outside layouts/ states a fact of one. One file
// there and one line in its list for each.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "checkpoint/model_writer.h"
#include "formats/block_format.h"
#include "formats/codes.h"
#include "formats/stored_codes.h"
#include "nibble/checkpoint.h"

namespace nibble {

struct Layout;

// One finding of a check. `rule` names it for programs: "gptq.marlin.in_features".
struct Finding {
  bool error = false;  // otherwise a warning
  std::string rule;
  std::string text;
};

// Which scales, zeros and groups a layout can hold.
struct Storable {
  DType scale_type = DType::kF16;  // float16, bfloat16, float32; without sign F8_E8M0, F8_E4M3
  bool free_zeros = true;          // otherwise every zero is the middle of its grid
  bool integer_zeros = true;       // zeros are integers, otherwise numbers of `zero_type`
  DType zero_type = DType::kF32;   // float16, bfloat16 or float32
  float lowest_zero = 0;
  // What is stored beside a scale is −scale · zero, a number of `scale_type`.
  bool minimum = false;
  std::size_t scale_rows = 1;  // so many neighbouring rows have the same scales
  bool group_index = false;    // columns may be put into groups in any order
  // Brings the scales and zeros of a whole matrix to the nearest that can be stored, where they are
  // stored together (quantized once more); null where each stands alone.
  void (*together)(Codes& codes) = nullptr;
  // Rows are stored as these blocks, which say what zeros there are; null: in any other way.
  const BlockFormat* blocks = nullptr;

  // The nearest scale that can be stored: never 0, which nothing can be divided by, never infinite.
  float nearest_scale(float scale) const;
  // The nearest zero that can be stored, wherever it lies.
  float nearest_zero(float zero) const;
  // Scales were found together: none of them is moved alone afterwards.
  bool joint() const { return together != nullptr || (blocks != nullptr && blocks->joint()); }
};

struct ModuleSettings {  // of one module
  const Grid* grid = nullptr;
  std::size_t group_size = 128;  // columns; 0: the whole row
  bool operator==(const ModuleSettings& other) const = default;
};
CodeShape code_shape(std::size_t rows, std::size_t columns, const ModuleSettings& settings);

// What a checkpoint says about itself besides its tensors.
struct LayoutSettings {
  ModuleSettings base;
  std::string dialect;       // one of the layout's
  bool symmetric = true;     // all zeros are the middle of their grid
  bool group_index = false;  // columns lie in their groups in another order than in the row
  // Modules that differ from `base`, and modules left alone, by full name.
  std::vector<std::pair<std::string, ModuleSettings>> overrides;
  std::vector<std::string> skipped;
  // Modules with a dialect of their own, by full name.
  std::map<std::string, std::string, std::less<>> dialects = {};
  std::string mix = {};        // the choice of dialects, where it has a name: "Q4_K_M"
  DType dtype = DType::kBF16;  // of the original weights
  double damping = 0.01;       // told to people who read the config

  const std::string& dialect_of(std::string_view module) const {
    const auto own = dialects.find(module);
    return own != dialects.end() ? own->second : dialect;
  }
  // With the dialect that this module has.
  LayoutSettings of_module(std::string_view module) const {
    LayoutSettings own = *this;
    own.dialect = dialect_of(module);
    return own;
  }
};

struct ShapedModule {  // a quantized module as it lies in a checkpoint, or as it will
  std::string name;
  std::size_t rows = 0, columns = 0;
  ModuleSettings settings;
};

struct NamedBytes {
  TensorInfo info;
  std::vector<std::byte> bytes;
};

// The quantized modules of an opened checkpoint. For several threads at once.
class StoredModules {
 public:
  virtual ~StoredModules() = default;
  // Is this module stored as codes? Costs nothing.
  virtual bool holds(const std::string& module) const = 0;
  // Its codes, which lie in the reader as long as that lives. Throws kCorruptFile when its tensors
  // contradict each other or the config.
  virtual std::unique_ptr<StoredCodes> open(const std::string& module) const = 0;
  // What a user should know about how the tensors were read, against what the config says.
  virtual std::span<const std::string> notes() const { return {}; }
};

// A folder as Hugging Face's programs read it: what most layouts write.
std::unique_ptr<ModelWriter> create_folder(const Layout& layout, const LayoutSettings& settings,
                                           const std::filesystem::path& target,
                                           const OutputModel& model, const OutputOptions& options);

// A program that was given what a layout writes, and what came of it.
struct TestedReader {
  std::string_view program;       // with versions: "transformers 5.24.0, bitsandbytes 0.50.2"
  std::string_view takes;         // "2 to 6 and 8 bits, symmetric"
  std::string_view refuses = {};  // what it did not open; empty: nothing that was tried
  std::string_view how;           // what was compared with this program: "perplexity, float32"
  std::string_view date;          // "2026-11-28"
};

struct Layout {
  std::string_view name;
  std::string_view summary;  // who reads it
  std::span<const TestedReader> readers = {};
  std::span<const std::string_view> dialects = {};  // the first is taken where none is named

  // Reading. Does config.json's quantization_config describe this layout?
  bool (*claims)(const Json& config) = nullptr;
  // `config` is read once, here. Throws kCorruptFile or kUnsupported naming the key.
  std::unique_ptr<StoredModules> (*open)(const CheckpointReader& reader,
                                         const Json& config) = nullptr;
  // Do tensors tell of this layout where no config does? Null: they do not.
  bool (*recognises)(const CheckpointReader& reader) = nullptr;
  // Where these readers look in config.json, beside quantization_config or instead of it: the same
  // object is read and written there. Empty: nowhere else.
  std::string_view config_key = {};
  // The file of settings that older tools write instead of a quantization_config; empty: none.
  std::string_view side_config = {};
  // The module that a tensor of this name belongs to as its codes ("….q_proj.qweight"), if any.
  std::optional<std::string> (*module_of)(const TensorInfo& tensor) = nullptr;
  // The layout's own rules on a finished checkpoint, and `consumers` of what it holds.
  std::vector<Finding> (*check)(const CheckpointReader& reader, const Json& config) = nullptr;

  // Writing. The grid that a dialect stands for, empty: any; may be null. Where a grid is asked for
  // and no dialect, the first of them that stands for it, or for any, is taken.
  std::string_view (*grid_of)(std::string_view dialect) = nullptr;
  // Group sizes that readers expect of codes of a grid, the best first; none: one for each row.
  std::span<const std::size_t> (*usual_groups)(const Grid& grid,
                                               std::string_view dialect) = nullptr;
  // May the last group of a row be shorter than the others? Null: no.
  bool (*short_groups)(const Grid& grid, std::string_view dialect) = nullptr;
  // Why this layout cannot hold such codes; empty when it can.
  std::string (*refusal)(const CodeShape& shape) = nullptr;
  Storable (*storable)(const CodeShape& shape, const LayoutSettings& settings) = nullptr;
  // Codes, scales, zeros and whatever else grows with the matrix.
  double (*bits_per_weight)(const CodeShape& shape, const LayoutSettings& settings) = nullptr;
  // Names, types and shapes of the tensors that `write` will give, in file order.
  std::vector<TensorInfo> (*plan)(const std::string& module, const CodeShape& shape,
                                  const LayoutSettings& settings) = nullptr;
  std::vector<NamedBytes> (*write)(const std::string& module, const Codes& codes,
                                   const LayoutSettings& settings) = nullptr;
  // In a folder: the quantization_config object for config.json, and further files: name and text.
  Json (*config)(const LayoutSettings& settings) = nullptr;
  std::vector<std::pair<std::string, std::string>> (*files)(const LayoutSettings& settings) =
      nullptr;
  // What every file says in its header of all tensors of the checkpoint. Null: nothing.
  std::vector<std::pair<std::string, std::string>> (*metadata)(
      std::span<const TensorInfo> tensors, const LayoutSettings& settings) = nullptr;
  // What is to be known of such modules before any work, as warnings: readers that will refuse
  // them, types other than asked for. Null: nothing.
  std::vector<Finding> (*consumers)(std::span<const ShapedModule> modules,
                                    const LayoutSettings& settings) = nullptr;

  // Where nothing here opens what is written: the file in the folder that other programs open, and
  // the codes that `write` put into tensors of this shape, for whoever must know that all are
  // there.
  std::string_view foreign_file = {};
  Codes (*unpack)(const CodeShape& shape, std::span<const NamedBytes> tensors) = nullptr;

  std::string_view suffix = {};  // of the one file that it writes; empty: a folder
  // Throws what `create` would throw because of model and target; writes nothing. May be null.
  void (*rehearse)(const std::filesystem::path& target, const OutputModel& model,
                   const OutputOptions& options) = nullptr;
  // Throws what OutputFolder and create_checkpoint throw.
  std::unique_ptr<ModelWriter> (*create)(const Layout& layout, const LayoutSettings& settings,
                                         const std::filesystem::path& target,
                                         const OutputModel& model,
                                         const OutputOptions& options) = create_folder;

  // Can a model be opened that has it? A file of blocks opens without the layout's help.
  bool opens() const { return open != nullptr || !suffix.empty(); }
};

namespace layouts {
std::span<const Layout* const> all();
const Layout& named(std::string_view name);  // throws kInvalidArgument with the known names
// The layout of a whole config.json; null without quantization_config; throws kUnsupported.
const Layout* claiming(const Json& config);
// `config` with the settings that older tools leave in a file of their own beside it
// (quantize_config.json), or that tensors tell. Throws kCorruptFile when nothing tells how packed
// tensors were packed.
Json with_side_config(Json config, const std::filesystem::path& folder,
                      const CheckpointReader& reader);
// The dialects that codes of a grid may be written in where none is named, the first first.
std::vector<std::string> dialects_for(const Layout& layout, const Grid& grid);
// `wanted`, or the first dialect where it is empty; throws kInvalidArgument with the known ones.
std::string dialect_of(const Layout& layout, std::string_view wanted);
// The layout that writes files of this name; null when it is the name of a folder.
const Layout* writing(const std::filesystem::path& target);
// The first layout with such a dialect, whatever its capitals; null: none.
const Layout* with_dialect(std::string_view dialect);
}  // namespace layouts

}  // namespace nibble
