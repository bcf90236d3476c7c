// One GGUF file. Its types are what grids are elsewhere: the grid of a module and the dialect, a
// type's name, say together which one it gets: Q4_K with a module of int6 writes that one as Q6_K.
#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "checkpoint/gguf_mixes.h"
#include "checkpoint/gguf_writer.h"
#include "checkpoint/layout.h"
#include "checkpoint/layouts/module_tensors.h"
#include "formats/block_codes.h"
#include "nibble/error.h"

namespace nibble::layouts {
namespace {

const BlockFormat& format_named(std::string_view name) {
  for (const BlockFormat* format : block_formats::all())
    if (format->name == name) return *format;
  throw Error(ErrorKind::kInvalidArgument, cat("\"", name, "\" is no type of GGUF blocks"));
}

bool holds(const BlockFormat& format, const CodeShape& shape) {
  return format.grid == shape.grid->name && format.group == shape.group_size &&
         shape.columns % format.block == 0;
}

// The type that is most like the dialect's: blocks of the same size first, then zeros alike. Null:
// none holds such a matrix.
const BlockFormat* format_of(const CodeShape& shape, std::string_view dialect) {
  const BlockFormat& wanted = format_named(dialect);
  if (holds(wanted, shape)) return &wanted;
  const BlockFormat* best = nullptr;
  int likeness = -1;
  for (const BlockFormat* format : block_formats::all()) {
    if (!holds(*format, shape)) continue;
    const int own = 2 * (format->block == wanted.block ? 1 : 0) +
                    (format->free_zeros == wanted.free_zeros ? 1 : 0);
    if (own > likeness) {
      likeness = own;
      best = format;
    }
  }
  return best;
}

std::span<const std::string_view> dialects() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> list = {"Q4_K"};  // what most people take
    for (const bool large : {true, false})          // large blocks lose less for their bits
      for (const BlockFormat* format : block_formats::all())
        if (!format->grid.empty() && (format->block == 256) == large &&
            format->name != list.front())
          list.push_back(format->name);
    return list;
  }();
  return names;
}

std::string_view grid_of(std::string_view dialect) { return format_named(dialect).grid; }

// The dialect's own, where it is of this grid: the types of one grid may differ.
std::span<const std::size_t> usual_groups(const Grid& grid, std::string_view dialect) {
  const BlockFormat* found = nullptr;
  for (const BlockFormat* format : block_formats::all())
    if (format->grid == grid.name && (found == nullptr || format->name == dialect)) found = format;
  return found == nullptr ? std::span<const std::size_t>()
                          : std::span<const std::size_t>(&found->group, 1);
}

std::string refusal(const CodeShape& shape) {
  std::vector<std::string> grids;
  std::size_t group = 0, block = 0;
  std::string_view name;
  for (const BlockFormat* format : block_formats::all()) {
    if (holds(*format, shape)) return {};
    if (format->grid.empty()) continue;
    if (std::find(grids.begin(), grids.end(), format->grid) == grids.end())
      grids.emplace_back(format->grid);
    if (format->grid != shape.grid->name || (block != 0 && format->block >= block)) continue;
    group = format->group;
    block = format->block;
    name = format->name;
  }
  if (block == 0)
    return cat("GGUF's blocks hold codes of ", join(grids, ", "), ", not ", shape.grid->name);
  if (shape.columns % block != 0)
    return cat("rows of ", shape.columns, " are no multiple of the ", block,
               " weights in a block of ", name);
  return cat("groups of ", shape.grid->name, " are ", group, " weights in GGUF's blocks, not ",
             shape.group_size);
}

Storable storable(const CodeShape& shape, const LayoutSettings& settings) {
  Storable storable;
  storable.blocks = format_of(shape, settings.dialect);
  if (storable.blocks != nullptr) storable.scale_type = storable.blocks->scale_type;
  storable.integer_zeros = storable.blocks == nullptr || !storable.blocks->free_zeros;
  return storable;
}

double bits_per_weight(const CodeShape& shape, const LayoutSettings& settings) {
  const BlockFormat* format = format_of(shape, settings.dialect);
  return 8.0 * static_cast<double>(format->block_bytes) / static_cast<double>(format->block);
}

std::optional<std::string> module_of(const TensorInfo& tensor) {
  constexpr std::string_view kSuffix = ".weight";
  if (tensor.blocks == nullptr) return std::nullopt;
  return module_of_suffix(tensor, kSuffix);
}

std::vector<TensorInfo> plan(const std::string& module, const CodeShape& shape,
                             const LayoutSettings& settings) {
  const BlockFormat* format = format_of(shape, settings.dialect_of(module));
  TensorInfo info{cat(module, ".weight"),
                  DType::kU8,
                  {static_cast<std::int64_t>(shape.rows), static_cast<std::int64_t>(shape.columns)},
                  shape.rows * format->row_bytes(shape.columns),
                  format};
  return {info};
}

std::vector<NamedBytes> write(const std::string& module, const Codes& codes,
                              const LayoutSettings& settings) {
  TensorInfo info = plan(module, codes, settings).front();
  auto bytes = blocks_of(*info.blocks, codes);
  return {{std::move(info), std::move(bytes)}};
}

// Nobody refuses it, but it is not what was asked for.
std::vector<Finding> other_types(std::span<const ShapedModule> modules,
                                 const LayoutSettings& settings) {
  if (modules.empty()) return {};        // no method chooses any, so none is of another type
  if (!settings.mix.empty()) return {};  // its types are as many, and the plan names them
  const BlockFormat& wanted = format_named(settings.dialect);
  std::map<std::string_view, std::set<std::size_t>> rows;
  std::map<std::string_view, std::size_t> counts;
  for (const ShapedModule& module : modules) {
    if (settings.dialects.contains(module.name)) continue;  // asked for by itself
    const BlockFormat* own =
        format_of(code_shape(module.rows, module.columns, module.settings), settings.dialect);
    if (own->block == wanted.block || module.columns % wanted.block == 0) continue;
    rows[own->name].insert(module.columns);
    ++counts[own->name];
  }
  std::vector<Finding> findings;
  for (const auto& [name, columns] : rows)
    findings.push_back(
        {.error = false,
         .rule = "gguf.other_type",
         .text = cat(counts[name], " modules become ", name, ": their rows of ",
                     list_text(std::vector<std::size_t>(columns.begin(), columns.end())),
                     " are no multiple of the ", wanted.block, " weights in a block of ",
                     wanted.name)});
  return findings;
}

std::uint32_t plain_file_type(DType type) {
  return type == DType::kF32 ? 0 : type == DType::kF16 ? 1 : 32;
}

// What most quantized weights become, in the numbers of general.file_type; where none is quantized,
// what most matrices are.
std::uint32_t file_type_of(const std::vector<TensorInfo>& tensors) {
  std::map<std::uint32_t, std::uint64_t> bytes;
  for (const TensorInfo& info : tensors)
    if (info.blocks != nullptr) bytes[info.blocks->file_type] += info.bytes;
  if (bytes.empty())
    for (const TensorInfo& info : tensors)
      if (info.shape.size() > 1) bytes[plain_file_type(info.dtype)] += info.bytes;
  const auto most = std::max_element(
      bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most->first;  // a model has an embedding
}

void rehearse(const std::filesystem::path& target, const OutputModel& model,
              const OutputOptions& options) {
  checked_gguf(target, model, options);
}

std::unique_ptr<ModelWriter> create(const Layout&, const LayoutSettings& settings,
                                    const std::filesystem::path& target, const OutputModel& model,
                                    const OutputOptions& options) {
  const std::uint32_t file_type = settings.mix.empty()
                                      ? file_type_of(model.tensors)
                                      : gguf_mixes::file_type(gguf_mixes::named(settings.mix));
  return create_gguf(target, model, file_type, options);
}

constexpr TestedReader kReaders[] = {
    {.program = "llama.cpp of October 2026",
     .takes = "all types and mixes",
     .how = "types of some 250 files and the perplexity of 6",
     .date = "2026-11-28"},
};

}  // namespace

extern const Layout gguf{
    .name = "gguf",
    .summary = "GGUF, one file: llama.cpp, ik_llama.cpp, ollama",
    .readers = kReaders,
    .dialects = dialects(),
    .module_of = module_of,
    .grid_of = grid_of,
    .usual_groups = usual_groups,
    .refusal = refusal,
    .storable = storable,
    .bits_per_weight = bits_per_weight,
    .plan = plan,
    .write = write,
    .consumers = other_types,
    .suffix = ".gguf",
    .rehearse = rehearse,
    .create = create,
};

}  // namespace nibble::layouts
