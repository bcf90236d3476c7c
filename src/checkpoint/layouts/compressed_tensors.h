// quantization_config of compressed-tensors checkpoints, their modules and their rules.
#pragma once

#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/layout.h"
#include "checkpoint/layouts/module_rules.h"
#include "tensor/half.h"

namespace nibble::layouts {

// Of one group of a config.
struct CompressedScheme {
  ModuleSettings settings;  // no grid: its modules' weights are not quantized
  bool symmetric = true;
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
inline bool is_int_dialect(std::string_view dialect) { return dialect == "int-quantized"; }
// Is this tensor the codes of a module in the int-quantized dialect?
bool is_byte_weight(const TensorInfo& tensor);

// Elements at any address.
template <typename Value>
Value stored_value(const std::byte* from, std::size_t index) {
  Value value;
  std::memcpy(&value, from + index * sizeof(Value), sizeof(Value));
  return value;
}

inline float stored_float(const std::byte* from, DType type, std::size_t index) {
  if (type == DType::kF16) return half_to_float(stored_value<Half>(from, index));
  if (type == DType::kBF16) return bfloat16_to_float(stored_value<Bfloat16>(from, index));
  return stored_value<float>(from, index);
}

// The tensors of one module, where the file has them.
struct CompressedParts {
  std::span<const std::byte> codes, scales, zeros;  // no zeros: the middle of the grid
  DType scale_type = DType::kF32;
  bool one_scale = false;     // for the whole matrix
  bool packed = false;        // codes; otherwise a signed byte each
  bool packed_zeros = false;  // along the rows; otherwise a signed byte each
};

std::unique_ptr<StoredCodes> compressed_codes(CodeShape shape, const CompressedParts& parts);

// Layout::open.
std::unique_ptr<StoredModules> open_compressed(const CheckpointReader& reader, const Json& config);

// Layout::consumers.
std::vector<Finding> compressed_consumers(std::span<const ShapedModule> modules,
                                          const LayoutSettings& settings);
// Layout::check.
std::vector<Finding> check_compressed(const CheckpointReader& reader, const Json& config);

}  // namespace nibble::layouts
