// HQQ checkpoints as the hqq library's save_to_safetensors writes them. For a layer "m" with weight
// [out, in], whose elements in order are cut into groups, a row each of a matrix of codes:
//
//   m.W_q           U8 or I32: rows that lie S apart share an element, the first of them in its
//                   highest bits; S = rows / fields
//   m.scale, m.zero [rows, 1], F16, BF16 or F32
//   m.shape         I64 [2]: out, in
//   m.nbits, m.group_size, m.axis  I32 numbers; m.packing and others: text and truth values
//   weight = (code − zero) · scale
//
// The tensors say everything: the library writes no quantization_config. Here they are written,
// with one, which transformers 4 wants; hqq_codes.cc reads them.
#include "checkpoint/layouts/hqq.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "checkpoint/layouts/module_tensors.h"
#include "checkpoint/layouts/reader_warnings.h"

namespace nibble::layouts {
namespace {

constexpr std::array<std::size_t, 3> kUsualGroups = {64, 128, 32};

std::span<const std::size_t> usual_groups(const Grid&, std::string_view) { return kUsualGroups; }

std::string refusal(const CodeShape& shape) {
  const int width = shape.bits();
  if (!shape.grid->uniform() || grids::find(shape.grid->name) != shape.grid)
    return cat("HQQ files hold codes of int2 to int6 and int8, not ", shape.grid->name);
  if (shape.columns % shape.group_size != 0)
    return cat("groups of ", shape.group_size, " do not divide rows of ", shape.columns);
  const std::size_t rows = shape.rows * shape.groups(), fields = hqq_packing(width).fields;
  if (width != 3 && rows % fields != 0)
    return cat("HQQ files pack ", fields, " groups together; this matrix has ", rows);
  return {};
}

Storable storable(const CodeShape&, const LayoutSettings& settings) {
  Storable storable;
  storable.scale_type = storable.zero_type = float_type_of(settings.dtype);
  storable.integer_zeros = false;
  return storable;
}

double bits_per_weight(const CodeShape& shape, const LayoutSettings& settings) {
  const HqqPacking packing = hqq_packing(shape.bits());
  const double width =
      8.0 * static_cast<double>(packing.bytes) / static_cast<double>(packing.fields);
  return width + 2.0 * bits(float_type_of(settings.dtype)) / static_cast<double>(shape.group_size);
}

std::optional<std::string> module_of(const TensorInfo& tensor) {
  return module_of_suffix(tensor, kHqqCodes);
}

bool recognises(const CheckpointReader& reader) {
  const auto tensors = reader.tensors();
  return std::any_of(tensors.begin(), tensors.end(), [&](const TensorInfo& info) {
    const auto module = module_of(info);
    return module && reader.find(*module + ".nbits") != nullptr;
  });
}

// Elements as they lie: [elements, group_size].
std::vector<std::byte> packed(const Codes& codes) {
  const HqqPacking packing = hqq_packing(codes.bits());
  const std::size_t group = codes.group_size, rows = codes.rows * codes.groups();
  const std::size_t apart = (rows + packing.fields - 1) / packing.fields;
  std::vector<std::uint32_t> elements(apart * group);
  for (std::size_t row = 0; row < rows; ++row) {
    const auto behind = static_cast<int>(packing.fields - 1 - row / apart);
    for (std::size_t i = 0; i < group; ++i)
      elements[row % apart * group + i] |= std::uint32_t{codes.codes[row * group + i]}
                                           << (codes.bits() * behind);
  }
  std::vector<std::byte> bytes(elements.size() * packing.bytes);
  for (std::size_t i = 0; i < elements.size(); ++i)
    std::memcpy(bytes.data() + i * packing.bytes, &elements[i], packing.bytes);
  return bytes;
}

class Writing {
 public:
  Writing(const std::string& module, const CodeShape& shape, const LayoutSettings& settings)
      : module_(module), shape_(shape), type_(float_type_of(settings.dtype)) {}

  // `codes` is null where only names and sizes are wanted.
  std::vector<NamedBytes> run(const Codes* codes) {
    const HqqPacking packing = hqq_packing(shape_.bits());
    const std::size_t rows = shape_.rows * shape_.groups();
    const std::size_t elements = (rows + packing.fields - 1) / packing.fields;
    const DType code_type = packing.bytes == 4 ? DType::kI32 : DType::kU8;
    add("W_q", code_type, {elements, shape_.group_size}, codes ? packed(*codes) : Bytes());
    add("scale", type_, {rows, 1}, codes ? float_bytes(codes->scales, type_) : Bytes());
    add("zero", type_, {rows, 1}, codes ? float_bytes(codes->zeros, type_) : Bytes());
    const std::array<std::int64_t, 2> sizes = {static_cast<std::int64_t>(shape_.rows),
                                               static_cast<std::int64_t>(shape_.columns)};
    add("shape", DType::kI64, {2}, bytes_of(sizes.data(), sizeof(sizes)));
    number("nbits", shape_.bits());
    number("group_size", static_cast<std::int32_t>(shape_.group_size));
    number("axis", 1);
    word("packing", packing.name);
    word("unpack_view_dtype", packing.bytes == 4 ? "torch.int32" : "torch.uint8");
    word("compute_dtype", cat("torch.", torch_name(type_)));
    for (const std::string_view flag : kHqqFlags) {
      const bool set = flag == "channel_wise" || flag == "encoded_state_dict" ||
                       flag == "stores_quant_config" || flag == "optimize";
      add(flag, DType::kU8, {}, {std::byte{set}});
    }
    return std::move(tensors_);
  }

 private:
  using Bytes = std::vector<std::byte>;

  void add(std::string_view suffix, DType type, std::initializer_list<std::size_t> sizes,
           Bytes bytes) {
    tensors_.push_back({planned(cat(module_, ".", suffix), type, sizes), std::move(bytes)});
  }
  void number(std::string_view suffix, std::int32_t value) {
    add(suffix, DType::kI32, {}, bytes_of(&value, sizeof(value)));
  }
  void word(std::string_view suffix, std::string_view text) {
    add(suffix, DType::kU8, {text.size()}, bytes_of(text.data(), text.size()));
  }

  const std::string& module_;
  const CodeShape& shape_;
  DType type_;
  std::vector<NamedBytes> tensors_;
};

std::vector<TensorInfo> plan(const std::string& module, const CodeShape& shape,
                             const LayoutSettings& settings) {
  std::vector<TensorInfo> infos;
  for (NamedBytes& tensor : Writing(module, shape, settings).run(nullptr))
    infos.push_back(std::move(tensor.info));
  return infos;
}

std::vector<NamedBytes> write(const std::string& module, const Codes& codes,
                              const LayoutSettings& settings) {
  return Writing(module, codes, settings).run(&codes);
}

bool claims(const Json& config) { return json_string(config, "quant_method", "") == "hqq"; }

Json params_of(const ModuleSettings& module) {
  return {{"weight_quant_params",
           {{"nbits", module.grid->bits},
            {"group_size", module.group_size == 0 ? Json(nullptr) : Json(module.group_size)},
            {"channel_wise", true},
            {"optimize", true},
            {"round_zero", false},
            {"axis", 1},
            {"view_as_float", false}}},
          {"scale_quant_params", nullptr},
          {"zero_quant_params", nullptr},
          {"offload_meta", false}};
}

Json config(const LayoutSettings& settings) {
  Json skipped = settings.skipped;
  skipped.push_back("lm_head");
  return {{"quant_method", "hqq"},
          {"quant_config", params_of(settings.base)},
          {"skip_modules", std::move(skipped)}};
}

std::vector<std::pair<std::string, std::string>> files(const LayoutSettings&) { return {}; }

constexpr TestedReader kReaders[] = {
    {.program = "hqq 0.2.8.post1",
     .takes = "2 to 6 and 8 bits, mixed",
     .how = "unpacked weights and perplexity in float32",
     .date = "2026-11-28"},
    {.program = "transformers 5.24.0",
     .takes = "",
     .refuses = "all: it takes random weights",
     .how = "loading",
     .date = "2026-11-28"},
};

}  // namespace

// Measured, with the version that is named.
std::vector<Finding> hqq_consumers(std::span<const ShapedModule> modules, const LayoutSettings&) {
  ReaderWarnings warnings;
  for (std::size_t i = 0; i < modules.size(); ++i)
    warnings.add(
        "transformers.hqq",
        "transformers 5.24.0 loads a folder with quant_method \"hqq\" with random weights and "
        "only a report (2026-11-28); the hqq library reads it");
  return warnings.findings(modules.size());
}

extern const Layout hqq{
    .name = "hqq",
    .summary = "HQQ, save_to_safetensors: the hqq library",
    .readers = kReaders,
    .claims = claims,
    .open = open_hqq,
    .recognises = recognises,
    .module_of = module_of,
    .check = check_hqq,
    .usual_groups = usual_groups,
    .refusal = refusal,
    .storable = storable,
    .bits_per_weight = bits_per_weight,
    .plan = plan,
    .write = write,
    .config = config,
    .files = files,
    .consumers = hqq_consumers,
};

}  // namespace nibble::layouts
