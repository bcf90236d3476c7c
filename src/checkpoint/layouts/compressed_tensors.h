// quantization_config of compressed-tensors checkpoints, their modules and their rules.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/layout.h"
#include "checkpoint/layouts/module_rules.h"
#include "checkpoint/layouts/module_tensors.h"
#include "checkpoint/layouts/stored_values.h"

namespace nibble::layouts {

// How the codes of a module lie in the file; a grid of floats leaves one form, and the dialect
// chooses among those of integers and of fp8's scales.
enum class CompressedForm { kWords, kBytes, kFloat8, kFloat8Blocks, kMxfp4, kNvfp4 };
CompressedForm compressed_form(const Grid& grid, std::string_view dialect);
inline bool is_float_form(CompressedForm form) {
  return form != CompressedForm::kWords && form != CompressedForm::kBytes;
}
// What a config calls it: "pack-quantized", "float-quantized".
std::string_view format_name(CompressedForm form);

// Of one group of a config.
struct CompressedScheme {
  ModuleSettings settings;  // no grid: its modules' weights are not quantized
  bool symmetric = true;
  std::size_t rows_of_block = 0;  // of fp8: rows that share scales; 0: each has its own
};

class CompressedConfig {
 public:
  // Throws kCorruptFile or kUnsupported naming the key.
  explicit CompressedConfig(const Json& config);

  // Of the group that a module belongs to: by its name first, then by an expression, then as one of
  // the linear layers. Null: none.
  const CompressedScheme* scheme_of(const std::string& module) const;
  bool ignores(const std::string& module) const;

  std::string status;          // "compressed" where tensors are packed; empty: not told
  bool rounds_inputs = false;  // readers are asked to bring inputs onto a grid too
  bool rounds_cache = false;   // and keys and values

 private:
  std::vector<CompressedScheme> schemes_;
  ModuleRules rules_;
  std::vector<std::size_t> scheme_of_rule_;
  std::optional<std::size_t> of_linear_;
  ModuleRules ignored_;
  bool ignores_linear_ = false;
};

Json write_compressed_config(const LayoutSettings& settings);

inline constexpr std::string_view kPacked = ".weight_packed";
// Is this tensor the codes of a module that are a byte each, integers or 8-bit floats?
bool is_byte_weight(const TensorInfo& tensor);

// The tensors of one module, where the file has them.
struct CompressedParts {
  std::span<const std::byte> codes, scales, zeros;  // no zeros: the middle of the grid
  DType scale_type = DType::kF32;
  bool one_scale = false;     // for the whole matrix
  bool packed = false;        // codes; otherwise a signed byte each
  bool packed_zeros = false;  // along the rows; otherwise a signed byte each
};

std::unique_ptr<StoredCodes> compressed_codes(CodeShape shape, const CompressedParts& parts);

// Layout::storable, plan and write of float forms, and the codes that a reader opens.
Storable float_storable(CompressedForm form, const CodeShape& shape,
                        const LayoutSettings& settings);
double float_bits_per_weight(CompressedForm form, const CodeShape& shape,
                             const LayoutSettings& settings);
std::vector<TensorInfo> plan_floats(CompressedForm form, const std::string& module,
                                    const CodeShape& shape, const LayoutSettings& settings);
// The bytes of each of them, in the same order.
std::vector<std::vector<std::byte>> write_floats(CompressedForm form, const Codes& codes,
                                                 const LayoutSettings& settings);
std::unique_ptr<StoredCodes> open_floats(const CheckpointReader& reader,
                                         const CompressedScheme& scheme, const std::string& module);

// Layout::open.
std::unique_ptr<StoredModules> open_compressed(const CheckpointReader& reader, const Json& config);

// Layout::consumers.
std::vector<Finding> compressed_consumers(std::span<const ShapedModule> modules,
                                          const LayoutSettings& settings);
// Layout::check.
std::vector<Finding> check_compressed(const CheckpointReader& reader, const Json& config);

}  // namespace nibble::layouts
