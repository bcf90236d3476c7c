// Opens the modules of a compressed-tensors checkpoint. The tensors decide what a module is, and
// the config what its codes mean: a folder that was used and saved again has dense weights under
// the name of a packed format.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/text.h"
#include "checkpoint/layouts/compressed_tensors.h"
#include "checkpoint/layouts/float_codes.h"
#include "checkpoint/layouts/reader_warnings.h"
#include "nibble/error.h"

namespace nibble::layouts {
namespace {

constexpr std::int64_t kMostColumns = 1 << 28;

[[noreturn]] void corrupt(const std::string& module, const std::string& what) {
  throw Error(ErrorKind::kCorruptFile, cat("module \"", module, "\": ", what));
}

// One module's tensors, each checked for its type and size.
class Reading {
 public:
  Reading(const CheckpointReader& reader, const CompressedConfig& config, const std::string& module)
      : reader_(reader), config_(config), module_(module) {}

  std::unique_ptr<StoredCodes> codes() {
    const CompressedScheme* scheme = config_.scheme_of(module_);
    if (scheme == nullptr || scheme->settings.grid == nullptr)
      corrupt(module_, "it is stored as codes, but no config group with weights names it");
    if (is_float_grid(*scheme->settings.grid)) return open_floats(reader_, *scheme, module_);
    const TensorInfo* packed = reader_.find(cat(module_, kPacked));
    const TensorInfo& codes = packed != nullptr ? *packed : reader_.at(module_ + ".weight");
    const DType type = packed != nullptr ? DType::kI32 : DType::kI8;
    if (codes.shape.size() != 2 || codes.dtype != type || codes.shape[0] < 1 || codes.shape[1] < 1)
      corrupt(module_, cat(codes.name, " is not a matrix of ", name(type)));
    const auto rows = static_cast<std::size_t>(codes.shape[0]);
    const std::size_t columns = packed != nullptr ? packed_columns(codes, *scheme)
                                                  : static_cast<std::size_t>(codes.shape[1]);
    CodeShape shape = code_shape(rows, columns, scheme->settings);
    CompressedParts parts;
    parts.packed = packed != nullptr;
    parts.codes =
        bytes(codes, rows * static_cast<std::size_t>(codes.shape[1]) * (packed != nullptr ? 4 : 1));
    read_scales(shape, parts);
    if (!scheme->symmetric) read_zeros(shape, parts);
    shape.group_index = group_index(shape);
    if (!parts.packed) check_bytes(shape, parts.codes);
    return compressed_codes(std::move(shape), parts);
  }

 private:
  std::span<const std::byte> bytes(const TensorInfo& info, std::size_t size) const {
    const auto found = reader_.bytes(info);
    if (found.size() != size)
      corrupt(module_, cat(info.name, " has ", found.size(), " bytes; expected ", size));
    return found;
  }

  // weight_shape tells it; the words must be as many.
  std::size_t packed_columns(const TensorInfo& codes, const CompressedScheme& scheme) const {
    const TensorInfo& info = reader_.at(module_ + ".weight_shape");
    if (info.dtype != DType::kI64 && info.dtype != DType::kI32)
      corrupt(module_, cat(info.name, " has type ", name(info.dtype), "; expected I64"));
    const bool wide = info.dtype == DType::kI64;
    const auto sizes = bytes(info, wide ? 16 : 8);
    const auto size = [&](std::size_t i) {
      return wide ? stored_value<std::int64_t>(sizes.data(), i)
                  : std::int64_t{stored_value<std::int32_t>(sizes.data(), i)};
    };
    if (size(0) != codes.shape[0] || size(1) < 1 || size(1) > kMostColumns)
      corrupt(module_, cat(info.name, " is [", size(0), ", ", size(1), "] beside ", codes.name,
                           " of ", list_text(codes.shape)));
    const std::int64_t bits = scheme.settings.grid->bits, words = (size(1) * bits + 31) / 32;
    const std::int64_t in_word = 32 / bits;
    if (codes.shape[1] != words && codes.shape[1] == (size(1) + in_word - 1) / in_word)
      throw Error(ErrorKind::kUnsupported,
                  cat("module \"", module_, "\": codes of ", bits, " bits lie ", in_word,
                      " to a word, as older versions of compressed-tensors packed them"),
                  "load it with that version, and save it with a new one");
    if (codes.shape[1] != words)
      corrupt(module_, cat(codes.name, " has ", codes.shape[1], " words in a row; ", size(1),
                           " codes of ", bits, " bits need ", words));
    return static_cast<std::size_t>(size(1));
  }

  void read_scales(const CodeShape& shape, CompressedParts& parts) const {
    const TensorInfo& info = reader_.at(module_ + ".weight_scale");
    if (info.dtype != DType::kF16 && info.dtype != DType::kBF16 && info.dtype != DType::kF32)
      corrupt(module_,
              cat(info.name, " has type ", name(info.dtype), "; expected F16, BF16 or F32"));
    std::size_t count = 1;
    for (const std::int64_t size : info.shape) count *= static_cast<std::size_t>(size);
    parts.one_scale = count == 1 && shape.groups() == 1;
    if (!parts.one_scale) expect(info, shape.rows, shape.groups());
    parts.scale_type = info.dtype;
    parts.scales = bytes(info, count * static_cast<std::size_t>(bits(info.dtype)) / 8);
    for (std::size_t i = 0; i < count; ++i)
      if (!std::isfinite(stored_float(parts.scales.data(), parts.scale_type, i)))
        corrupt(module_, cat(info.name, " holds a non-finite value"));
  }

  void read_zeros(const CodeShape& shape, CompressedParts& parts) const {
    const TensorInfo& info = reader_.at(module_ + ".weight_zero_point");
    const auto width = static_cast<std::size_t>(shape.bits());
    parts.packed_zeros = info.dtype == DType::kI32;
    if (!parts.packed_zeros && info.dtype != DType::kI8)
      corrupt(module_, cat(info.name, " has type ", name(info.dtype), "; expected I32 or I8"));
    const std::size_t rows = parts.packed_zeros ? (shape.rows * width + 31) / 32 : shape.rows;
    if (parts.one_scale && !parts.packed_zeros)
      throw Error(ErrorKind::kUnsupported,
                  cat("module \"", module_, "\": one zero point for the whole matrix is not read"));
    expect(info, rows, shape.groups());
    parts.zeros = bytes(info, rows * shape.groups() * (parts.packed_zeros ? 4 : 1));
  }

  // A vector is as good as a matrix of one column.
  void expect(const TensorInfo& info, std::size_t rows, std::size_t columns) const {
    const auto& shape = info.shape;
    const bool vector = shape.size() == 1 && columns == 1;
    if ((shape.size() == 2 || vector) && shape[0] == static_cast<std::int64_t>(rows) &&
        (vector || shape[1] == static_cast<std::int64_t>(columns)))
      return;
    corrupt(module_, cat(info.name, " has shape ", list_text(shape), "; expected [", rows, ", ",
                         columns, "]"));
  }

  // Of files made with "actorder": "group", which newer libraries refuse; −1 is of no use.
  std::vector<std::int32_t> group_index(const CodeShape& shape) const {
    const TensorInfo* info = reader_.find(module_ + ".weight_g_idx");
    if (info == nullptr) return {};
    if (info->dtype != DType::kI32) corrupt(module_, cat(info->name, " is not I32"));
    const auto stored = bytes(*info, 4 * shape.columns);
    std::vector<std::int32_t> index(shape.columns);
    std::memcpy(index.data(), stored.data(), stored.size());
    bool in_order = true;
    for (std::size_t i = 0; i < index.size(); ++i) {
      if (index[i] == -1 && index[0] == -1) continue;
      const auto group = static_cast<std::size_t>(index[i]);
      if (group >= shape.groups())
        corrupt(module_, cat(info->name, "[", i, "] is ", index[i], "; there are ", shape.groups(),
                             " groups"));
      in_order &= group == i / shape.group_size;
    }
    if (in_order) index.clear();
    return index;
  }

  // Bytes have room for more than a narrow grid's codes.
  void check_bytes(const CodeShape& shape, std::span<const std::byte> codes) const {
    const int middle = 1 << (shape.bits() - 1);
    if (middle == 128) return;
    for (std::size_t i = 0; i < codes.size(); ++i) {
      const int code = stored_value<std::int8_t>(codes.data(), i);
      if (code < -middle || code >= middle)
        corrupt(module_, cat("a weight is ", code, ", outside of ", shape.bits(), " bits"));
    }
  }

  const CheckpointReader& reader_;
  const CompressedConfig& config_;
  const std::string& module_;
};

bool is_packed(const TensorInfo& info) {
  return info.name.ends_with(kPacked) || is_byte_weight(info);
}

class CompressedModules final : public StoredModules {
 public:
  CompressedModules(const CheckpointReader& reader, const Json& config)
      : reader_(reader), config_(config) {
    const auto tensors = reader.tensors();
    const bool packed = std::any_of(tensors.begin(), tensors.end(), is_packed);
    if (!packed)
      notes_.push_back(
          "the config says compressed-tensors, but no weight is stored as codes: the model was "
          "decompressed and saved so; it is read as it is");
    else if (config_.status != "compressed")
      notes_.push_back(
          cat("\"quantization_status\" is ",
              config_.status.empty() ? "not told" : cat("\"", config_.status, "\""),
              " although weights are stored as codes, which are read; transformers needs "
              "\"compressed\" there and would take random weights"));
    if (packed && config_.rounds_inputs) notes_.emplace_back(kRoundsInputsNote);
    if (config_.rounds_cache)
      notes_.push_back("the config asks for a quantized cache of keys and values: here --kv tells");
  }
  bool holds(const std::string& module) const override {
    if (reader_.find(cat(module, kPacked)) != nullptr) return true;
    const TensorInfo* weight = reader_.find(module + ".weight");
    return weight != nullptr && is_byte_weight(*weight);
  }
  std::unique_ptr<StoredCodes> open(const std::string& module) const override {
    return Reading(reader_, config_, module).codes();
  }
  std::span<const std::string> notes() const override { return notes_; }

 private:
  const CheckpointReader& reader_;
  CompressedConfig config_;
  std::vector<std::string> notes_;
};

}  // namespace

bool is_byte_weight(const TensorInfo& tensor) {
  return (tensor.dtype == DType::kI8 || tensor.dtype == DType::kF8E4M3) &&
         tensor.name.ends_with(".weight") && tensor.shape.size() == 2;
}

std::unique_ptr<StoredModules> open_compressed(const CheckpointReader& reader, const Json& config) {
  return std::make_unique<CompressedModules>(reader, config);
}

}  // namespace nibble::layouts
