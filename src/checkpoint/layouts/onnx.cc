// A folder with model.onnx: a graph whose products with quantized matrices are the operator
// MatMulNBits of ONNX Runtime. For a layer "m" with weight [out, in], b bits and K blocks of
// columns:
//
//   m.weight_Qb            U8 [out, K, block·b/8]   codes along the row, least significant bit
//                                                   first; behind the last column zeros
//   m.weight_scales        F32 [out, K]
//   m.weight_zero_points   U8 [out, ⌈K·b/8⌉]        likewise, each row from a byte of its own; left
//                                                   out where all are the middle of the grid
//   weight[o, i] = scales[o, k] · (code − zero[o, k])
//
// Blocks are 16 to 256 columns, a power of two. A group of another size is several blocks with the
// same scale. The graph itself comes from whoever knows the model (OutputModel::onnx). Here such
// folders are written and not read.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/text.h"
#include "checkpoint/layout.h"
#include "checkpoint/layouts/module_tensors.h"
#include "checkpoint/layouts/reader_warnings.h"
#include "checkpoint/onnx/onnx_writer.h"
#include "nibble/error.h"

namespace nibble::layouts {
namespace {

// What inputs become inside a product, in ONNX Runtime's numbers: 0 keeps them, 4 rounds them to
// 8 bits for each block.
constexpr std::array<std::string_view, 2> kDialects = {"accuracy-0", "accuracy-4"};
constexpr std::array<std::size_t, 5> kUsualGroups = {32, 128, 64, 16, 256};
constexpr std::size_t kLeastBlock = 16, kLargestBlock = 256;
constexpr std::size_t kFreeBlock = 128;  // where any size will do
constexpr std::string_view kCodes = ".weight_Q", kScales = ".weight_scales",
                           kZeros = ".weight_zero_points";

std::span<const std::size_t> usual_groups(const Grid&, std::string_view) { return kUsualGroups; }
bool short_groups(const Grid&, std::string_view) { return true; }

// Columns in a block; 0: none divides the group.
std::size_t block_of(const CodeShape& shape) {
  const std::size_t group = shape.group_size;
  if (group >= shape.columns)
    return std::clamp(std::bit_ceil(shape.columns), kLeastBlock, kFreeBlock);
  const std::size_t power = std::size_t{1} << std::countr_zero(group);
  if (power < kLeastBlock) return 0;
  return power == group && group <= kLargestBlock ? group : std::min(power, kFreeBlock);
}

std::string refusal(const CodeShape& shape) {
  const bool is_own = shape.grid->uniform() && grids::find(shape.grid->name) == shape.grid;
  if (!is_own || (shape.bits() != 2 && shape.bits() != 4 && shape.bits() != 8))
    return cat("ONNX Runtime multiplies by codes of int2, int4 and int8, not ", shape.grid->name);
  if (block_of(shape) == 0)
    return cat("groups of ", shape.group_size, " columns are no whole blocks of 16 or more");
  return {};
}

Storable storable(const CodeShape&, const LayoutSettings&) {
  Storable storable;
  storable.scale_type = DType::kF32;  // that of the inputs
  return storable;
}

struct Sizes {  // of a row
  explicit Sizes(const CodeShape& shape)
      : block(block_of(shape)),
        blocks((shape.columns + block - 1) / block),
        block_bytes(block * static_cast<std::size_t>(shape.bits()) / 8),
        zero_bytes((blocks * static_cast<std::size_t>(shape.bits()) + 7) / 8) {}
  std::size_t block, blocks, block_bytes, zero_bytes;
};

double bits_per_weight(const CodeShape& shape, const LayoutSettings& settings) {
  const Sizes sizes(shape);
  const std::size_t bytes = sizes.blocks * (sizes.block_bytes + sizeof(float)) +
                            (settings.symmetric ? 0 : sizes.zero_bytes);
  return 8.0 * static_cast<double>(bytes) / static_cast<double>(shape.columns);
}

std::string codes_name(const std::string& module, int bits) { return cat(module, kCodes, bits); }

std::optional<std::string> module_of(const TensorInfo& tensor) {
  for (const int bits : {2, 4, 8})
    if (auto module = module_of_suffix(tensor, codes_name("", bits))) return module;
  return std::nullopt;
}

std::vector<TensorInfo> plan(const std::string& module, const CodeShape& shape,
                             const LayoutSettings& settings) {
  const Sizes sizes(shape);
  std::vector<TensorInfo> tensors = {
      planned(codes_name(module, shape.bits()), DType::kU8,
              {shape.rows, sizes.blocks, sizes.block_bytes}),
      planned(cat(module, kScales), DType::kF32, {shape.rows, sizes.blocks})};
  if (!settings.symmetric)
    tensors.push_back(planned(cat(module, kZeros), DType::kU8, {shape.rows, sizes.zero_bytes}));
  return tensors;
}

// Field `i` of `bits` bits in a row of bytes.
void put_field(std::byte* row, std::size_t i, int bits, unsigned value) {
  const std::size_t at = i * static_cast<std::size_t>(bits);
  row[at / 8] |= static_cast<std::byte>(value << (at % 8));
}
unsigned field(const std::byte* row, std::size_t i, int bits) {
  const std::size_t at = i * static_cast<std::size_t>(bits);
  return std::to_integer<unsigned>(row[at / 8]) >> (at % 8) & ((1u << bits) - 1);
}

void require_zero(const std::string& module, float zero, const CodeShape& shape, bool symmetric) {
  const auto levels = static_cast<float>(shape.grid->levels());
  if (zero >= 0 && zero < levels && zero == static_cast<float>(static_cast<int>(zero)) &&
      (!symmetric || zero == levels / 2))
    return;
  throw Error(ErrorKind::kInvalidArgument,
              cat("module \"", module, "\": zero ", zero, " cannot be stored: ",
                  symmetric ? cat("without zeros all are ", levels / 2)
                            : cat("zeros are integers of 0 to ", levels - 1)));
}

std::vector<NamedBytes> write(const std::string& module, const Codes& codes,
                              const LayoutSettings& settings) {
  const Sizes sizes(codes);
  const int bits = codes.bits();
  std::vector<NamedBytes> tensors;
  for (TensorInfo& info : plan(module, codes, settings))
    tensors.push_back({info, std::vector<std::byte>(info.bytes)});
  std::vector<float> scales(codes.rows * sizes.blocks);
  for (std::size_t r = 0; r < codes.rows; ++r) {
    std::byte* row = tensors[0].bytes.data() + r * sizes.blocks * sizes.block_bytes;
    for (std::size_t i = 0; i < codes.columns; ++i) put_field(row, i, bits, codes.row(r)[i]);
    for (std::size_t k = 0; k < sizes.blocks; ++k) {
      const GroupParams params = codes.params(r, codes.group_of(k * sizes.block));
      require_zero(module, params.zero, codes, settings.symmetric);
      scales[r * sizes.blocks + k] = params.scale;
      if (!settings.symmetric)
        put_field(tensors[2].bytes.data() + r * sizes.zero_bytes, k, bits,
                  static_cast<unsigned>(params.zero));
    }
  }
  std::memcpy(tensors[1].bytes.data(), scales.data(), tensors[1].bytes.size());
  return tensors;
}

// Throws kCorruptFile where blocks of one group differ.
Codes unpack(const CodeShape& shape, std::span<const NamedBytes> tensors) {
  const Sizes sizes(shape);
  const int bits = shape.bits();
  Codes codes = make_codes(*shape.grid, shape.rows, shape.columns, shape.group_size);
  std::vector<bool> seen(codes.scales.size());
  for (std::size_t r = 0; r < codes.rows; ++r) {
    const std::byte* row = tensors[0].bytes.data() + r * sizes.blocks * sizes.block_bytes;
    for (std::size_t i = 0; i < codes.columns; ++i)
      codes.row(r)[i] = static_cast<std::uint8_t>(field(row, i, bits));
    for (std::size_t k = 0; k < sizes.blocks; ++k) {
      GroupParams params{0, static_cast<float>(shape.grid->levels() / 2)};
      std::memcpy(&params.scale, tensors[1].bytes.data() + (r * sizes.blocks + k) * sizeof(float),
                  sizeof(float));
      if (tensors.size() > 2)
        params.zero =
            static_cast<float>(field(tensors[2].bytes.data() + r * sizes.zero_bytes, k, bits));
      const std::size_t group = codes.group_of(k * sizes.block), at = r * codes.groups() + group;
      if (seen[at] && (codes.scales[at] != params.scale || codes.zeros[at] != params.zero))
        throw Error(ErrorKind::kCorruptFile, cat("blocks of group ", group, " of row ", r,
                                                 " have different scales or zeros"));
      seen[at] = true;
      codes.set_params(r, group, params);
    }
  }
  return codes;
}

std::vector<Finding> consumers(std::span<const ShapedModule> modules,
                               const LayoutSettings& settings) {
  ReaderWarnings warnings;
  for (const ShapedModule& module : modules) {
    const CodeShape shape = code_shape(module.rows, module.columns, module.settings);
    const std::size_t block = block_of(shape);
    if (settings.dialect_of(module.name) == kDialects[1] && shape.bits() == 2 &&
        (block == 16 || block == 256))
      warnings.add("onnxruntime.accuracy_level",
                   cat("ONNX Runtime keeps float inputs for codes of int2 in blocks of ", block));
  }
  return warnings.findings(modules.size());
}

const TensorInfo* find(const std::vector<TensorInfo>& tensors, std::string_view name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const TensorInfo& info) { return info.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

// The matrix as floats: stored in their own type, and as the output's product wants them in
// float32.
void put_float_product(OnnxModel& model, const TensorInfo& weight, const std::string& input,
                       const std::string& output) {
  std::string floats = weight.name;
  if (weight.dtype != DType::kF32) {
    floats = cat(output, ".weight");
    model.nodes.push_back({"Cast", "", {weight.name}, {floats}, {{"to", std::int64_t{1}}}});
  }
  model.nodes.push_back(
      {"FusedMatMul", "com.microsoft", {input, floats}, {output}, {{"transB", std::int64_t{1}}}});
}

// How products with the matrices among these tensors are written.
OnnxProduct product_of(const std::vector<TensorInfo>& tensors, std::int64_t accuracy) {
  return [&tensors, accuracy](OnnxModel& model, const OnnxMatrix& matrix, const std::string& input,
                              const std::string& output) {
    for (const int bits : {2, 4, 8}) {
      const TensorInfo* codes = find(tensors, codes_name(matrix.module, bits));
      if (codes == nullptr) continue;
      OnnxNode node{"MatMulNBits",
                    "com.microsoft",
                    {input, codes->name, cat(matrix.module, kScales)},
                    {output}};
      if (const std::string zeros = cat(matrix.module, kZeros); find(tensors, zeros) != nullptr)
        node.inputs.push_back(zeros);
      node.attributes = {{"K", static_cast<std::int64_t>(matrix.columns)},
                         {"N", static_cast<std::int64_t>(matrix.rows)},
                         {"bits", std::int64_t{bits}},
                         {"block_size", codes->shape[2] * 8 / bits}};
      if (accuracy != 0) node.attributes.push_back({"accuracy_level", accuracy});
      model.nodes.push_back(std::move(node));
      return;
    }
    const TensorInfo* weight = find(tensors, matrix.module + ".weight");
    if (weight == nullptr)
      throw Error(ErrorKind::kNotFound,
                  cat("module \"", matrix.module, "\" has no weight to be written"));
    put_float_product(model, *weight, input, output);
  };
}

// All tensors lie in one file beside the graph.
void refuse_shards(const OutputOptions& options) {
  if (options.max_shard_bytes != OutputOptions().max_shard_bytes)
    throw Error(ErrorKind::kInvalidArgument,
                "--max-shard-size would not be read: layout onnx writes all weights into one file",
                "leave it out, or choose another --layout");
}

void rehearse(const std::filesystem::path&, const OutputModel& model,
              const OutputOptions& options) {
  refuse_shards(options);
  model.onnx(product_of(model.tensors, 0));
}

std::unique_ptr<ModelWriter> create(const Layout&, const LayoutSettings& settings,
                                    const std::filesystem::path& target, const OutputModel& model,
                                    const OutputOptions& options) {
  refuse_shards(options);
  const std::int64_t accuracy = settings.dialect == kDialects[1] ? 4 : 0;
  return create_onnx_folder(target, model, model.onnx(product_of(model.tensors, accuracy)),
                            options);
}

constexpr TestedReader kReaders[] = {
    {.program = "onnxruntime 1.31.1 on a CPU",
     .takes = "2, 4 and 8 bits, mixed",
     .how = "perplexity in float32 and 40 greedy tokens",
     .date = "2026-11-28"},
    {.program = "onnxruntime-genai 0.18.0 on a CPU",
     .takes = "4 bits",
     .how = "40 greedy tokens",
     .date = "2026-11-28"},
};

}  // namespace

extern const Layout onnx{
    .name = "onnx",
    .summary = "ONNX with MatMulNBits: onnxruntime, onnxruntime-genai",
    .readers = kReaders,
    .dialects = kDialects,
    .module_of = module_of,
    .usual_groups = usual_groups,
    .short_groups = short_groups,
    .refusal = refusal,
    .storable = storable,
    .bits_per_weight = bits_per_weight,
    .plan = plan,
    .write = write,
    .consumers = consumers,
    .foreign_file = kOnnxFile,
    .unpack = unpack,
    .rehearse = rehearse,
    .create = create,
};

}  // namespace nibble::layouts
