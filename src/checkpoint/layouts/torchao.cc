// Checkpoints of torchao as transformers saves them, integer weights only. For a layer "m" with
// weight [out, in] and G groups of columns:
//
//   m._weight_qdata       I8 [out, in]  signed codes of any width, a byte each
//   m._weight_scale       [out, G]      F16, BF16 or F32, the type of the original's weights
//   m._weight_zero_point  I8 [out, G]   0 where the weights are symmetric
//   weight[o, i] = scale[o, g] · (code − zero_point[o, g])
//
// Here codes and zeros have the middle of their grid added. How wide codes are stands in
// config.json (torchao_config.h), 8 bits where it does not. Every tensor of the model is described
// once more in the metadata of each file: "m.weight" as an IntxUnpackedToInt8Tensor with the names
// of its parts, others as a Tensor.
#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "checkpoint/layout.h"
#include "checkpoint/layouts/module_tensors.h"
#include "checkpoint/layouts/opened_modules.h"
#include "checkpoint/layouts/reader_warnings.h"
#include "checkpoint/layouts/row_codes.h"
#include "checkpoint/layouts/torchao_config.h"
#include "nibble/error.h"

namespace nibble::layouts {
namespace {

constexpr std::string_view kCodes = "._weight_qdata", kScales = "._weight_scale",
                           kZeros = "._weight_zero_point";
constexpr std::array<std::size_t, 3> kUsualGroups = {128, 64, 32};

// Bytes have room for more.
void check_codes(const ModuleTensors& tensors, std::span<const std::byte> codes, int bits) {
  const int middle = 1 << (bits - 1);
  for (const std::byte byte : codes)
    if (const int code = static_cast<std::int8_t>(byte); code < -middle || code >= middle)
      tensors.corrupt(cat("a code is ", code, ", outside of ", bits, " bits"));
}

std::unique_ptr<StoredCodes> codes_in(const CheckpointReader& reader, const std::string& module,
                                      int bits) {
  const ModuleTensors tensors(reader, module);
  const auto [rows, columns] = tensors.matrix(kCodes, DType::kI8);
  const TensorInfo* scale = tensors.find(kScales);
  const std::size_t groups = scale != nullptr && scale->shape.size() == 2 && scale->shape[1] > 0
                                 ? static_cast<std::size_t>(scale->shape[1])
                                 : 1;
  if (columns % groups != 0)
    tensors.corrupt(cat("rows of ", columns, " are no ", groups, " groups of one size"));
  CodeShape shape = code_shape(rows, columns, {&grids::uniform(bits), columns / groups});
  std::vector<float> scales = tensors.floats(kScales, {rows, groups}), zeros;
  const float middle = static_cast<float>(1 << (bits - 1));
  if (tensors.find(kZeros) != nullptr)
    for (const std::byte zero : tensors.bytes(kZeros, DType::kI8, {rows, groups}))
      zeros.push_back(static_cast<float>(static_cast<std::int8_t>(zero)) + middle);
  const auto codes = tensors.bytes(kCodes, DType::kI8, {rows, columns});
  if (bits < 8) check_codes(tensors, codes, bits);
  auto beside = float_scales(shape, std::move(scales), std::move(zeros), middle);
  return byte_rows(std::move(shape), codes, std::move(beside));
}

std::optional<std::string> module_of(const TensorInfo& tensor) {
  return module_of_suffix(tensor, kCodes);
}

std::string words_of(std::size_t group) {
  return group == 0 ? std::string("one group for each row") : cat("groups of ", group);
}

// Are scales of as many columns as the config says? Every tensor brings its own number for its
// readers, so that modules may differ from the config; that all do is a mistake in one of the two.
class GroupCheck {
 public:
  GroupCheck(const CheckpointReader& reader, std::optional<std::size_t> told) : told_(told) {
    if (!told) return;
    for (const TensorInfo& codes : reader.tensors())
      if (const auto module = module_of(codes))
        if (const TensorInfo* scales = reader.find(cat(*module, kScales))) look_at(codes, *scales);
  }

  // Empty where at least one module is as the config says.
  std::string contradiction() const {
    if (others_ == 0 || as_told_ > 0) return {};
    return cat("\"quant_type\" says ", words_of(*told_), ", but ", first_);
  }
  std::string note() const {
    if (others_ == 0 || as_told_ == 0) return {};
    return cat(others_, " of ", others_ + as_told_, " modules are not in ", words_of(*told_),
               " as \"quant_type\" says, and the tensors count: ", first_);
  }

 private:
  void look_at(const TensorInfo& codes, const TensorInfo& scales) {
    if (codes.shape.size() != 2 || scales.shape.size() != 2 || scales.shape[1] < 1) return;
    const auto columns = static_cast<std::size_t>(codes.shape[1]);
    const std::size_t group = columns / static_cast<std::size_t>(scales.shape[1]);
    if (group == (*told_ == 0 ? columns : *told_)) {
      ++as_told_;
      return;
    }
    if (others_++ == 0)
      first_ = cat(scales.name, " of ", list_text(scales.shape), " beside ", codes.name, " of ",
                   list_text(codes.shape), " is of ", words_of(group == columns ? 0 : group));
  }

  std::optional<std::size_t> told_;
  std::size_t as_told_ = 0, others_ = 0;
  std::string first_;
};

class Modules final : public StoredModules {
 public:
  Modules(const CheckpointReader& reader, const Json& config)
      : reader_(reader), settings_(read_torchao_config(config)) {
    const GroupCheck groups(reader, settings_.group);
    if (const std::string wrong = groups.contradiction(); !wrong.empty())
      throw Error(ErrorKind::kCorruptFile, wrong, "take the config.json that belongs to the files");
    if (std::string note = groups.note(); !note.empty()) notes_.push_back(std::move(note));
    if (settings_.rounds_inputs) notes_.emplace_back(kRoundsInputsNote);
  }
  bool holds(const std::string& module) const override {
    return reader_.find(cat(module, kCodes)) != nullptr;
  }
  std::unique_ptr<StoredCodes> open(const std::string& module) const override {
    return codes_in(reader_, module, settings_.bits);
  }
  std::span<const std::string> notes() const override { return notes_; }

 private:
  const CheckpointReader& reader_;
  TorchaoConfig settings_;
  std::vector<std::string> notes_;
};

bool claims(const Json& config) { return json_string(config, "quant_method", "") == "torchao"; }

std::unique_ptr<StoredModules> open(const CheckpointReader& reader, const Json& config) {
  return std::make_unique<Modules>(reader, config);
}

std::vector<Finding> check(const CheckpointReader& reader, const Json& config) {
  const TorchaoConfig settings = read_torchao_config(config);
  auto findings = findings_of(
      open_modules(
          reader, module_of, "torchao.tensors",
          [&](const std::string& module) { return codes_in(reader, module, settings.bits); }),
      "torchao.modules", cat("the config says torchao, but no tensor is called *", kCodes));
  if (const std::string wrong = GroupCheck(reader, settings.group).contradiction(); !wrong.empty())
    findings.push_back({true, "torchao.group_size", wrong});
  return findings;
}

std::span<const std::size_t> usual_groups(const Grid&, std::string_view) { return kUsualGroups; }

std::string refusal(const CodeShape& shape) {
  if (grids::find(shape.grid->name) != shape.grid || !shape.grid->uniform())
    return cat("torchao's folders hold int2 to int6 and int8 here, not ", shape.grid->name);
  return {};
}

Storable storable(const CodeShape&, const LayoutSettings& settings) {
  Storable storable;
  storable.scale_type = float_type_of(settings.dtype);
  return storable;
}

double bits_per_weight(const CodeShape& shape, const LayoutSettings& settings) {
  return 8 + (8.0 + bits(float_type_of(settings.dtype))) / static_cast<double>(shape.group_size);
}

std::vector<TensorInfo> plan(const std::string& module, const CodeShape& shape,
                             const LayoutSettings& settings) {
  if (shape.grid != settings.base.grid)
    throw Error(ErrorKind::kInvalidArgument,
                cat(module, ": codes of ", shape.grid->name,
                    " cannot be told to readers: torchao's config has one grid for all modules, ",
                    settings.base.grid->name),
                "leave the --override out, or choose another --layout");
  return {
      planned(cat(module, kCodes), DType::kI8, {shape.rows, shape.columns}),
      planned(cat(module, kScales), float_type_of(settings.dtype), {shape.rows, shape.groups()}),
      planned(cat(module, kZeros), DType::kI8, {shape.rows, shape.groups()})};
}

std::vector<NamedBytes> write(const std::string& module, const Codes& codes,
                              const LayoutSettings& settings) {
  auto infos = plan(module, codes, settings);
  const int middle = 1 << (codes.bits() - 1);
  const auto signed_byte = [&](auto value) {
    return static_cast<std::byte>(static_cast<int>(value) - middle);
  };
  std::vector<std::byte> values(codes.codes.size()), zeros(codes.scales.size());
  std::transform(codes.codes.begin(), codes.codes.end(), values.begin(), signed_byte);
  for (std::size_t i = 0; i < zeros.size(); ++i)
    zeros[i] = codes.zeros.empty() ? std::byte{0} : signed_byte(codes.zeros[i]);
  return {{std::move(infos[0]), std::move(values)},
          {std::move(infos[1]), float_bytes(codes.scales, infos[1].dtype)},
          {std::move(infos[2]), std::move(zeros)}};
}

std::vector<std::pair<std::string, std::string>> metadata(std::span<const TensorInfo> tensors,
                                                          const LayoutSettings& settings) {
  std::vector<std::pair<std::string, std::string>> pairs;
  Json names = Json::array();
  const auto describe = [&](const std::string& tensor, const Json& what) {
    names.push_back(tensor);
    pairs.emplace_back(tensor, what.dump());
  };
  std::map<std::string, std::size_t> groups;  // of modules
  for (const TensorInfo& tensor : tensors)
    if (const auto module = module_of_suffix(tensor, kScales))
      groups[*module] = static_cast<std::size_t>(tensor.shape[1]);
  for (const TensorInfo& tensor : tensors) {
    if (module_of_suffix(tensor, kScales) || module_of_suffix(tensor, kZeros)) continue;
    const auto module = module_of(tensor);
    if (!module) {
      describe(tensor.name, {{"_type", "Tensor"}});
      continue;
    }
    const std::size_t group = static_cast<std::size_t>(tensor.shape[1]) / groups.at(*module);
    Json what = tagged("IntxUnpackedToInt8Tensor",
                       {{"target_dtype", tagged("torch.dtype", settings.base.grid->name)},
                        {"block_size", {1, group}},
                        {"dtype", tagged("torch.dtype", torch_name(settings.dtype))},
                        {"activation_quantization", nullptr}});
    what["_tensor_data_names"] = {"qdata", "scale", "zero_point"};
    describe(cat(*module, ".weight"), what);
  }
  pairs.emplace_back("tensor_names", names.dump());
  return pairs;
}

std::vector<std::pair<std::string, std::string>> files(const LayoutSettings&) { return {}; }

// Not a reader that refuses, but who asks for 4 bits expects half the size.
std::vector<Finding> consumers(std::span<const ShapedModule> modules, const LayoutSettings&) {
  ReaderWarnings warnings;
  for (const ShapedModule& module : modules)
    if (const Grid& grid = *module.settings.grid; grid.bits < 8)
      warnings.add("torchao.bytes",
                   cat("this layout has a byte for each code of ", grid.name,
                       ": the files are as large as with 8 bits, here and as torchao reads them"));
  return warnings.findings(modules.size());
}

constexpr TestedReader kReaders[] = {
    {.program = "transformers 5.24.0, torchao 0.18.0",
     .takes = "2 to 6 and 8 bits, groups and rows",
     .how = "unpacked weights and perplexity in bfloat16",
     .date = "2026-11-28"},
};

}  // namespace

extern const Layout torchao{
    .name = "torchao",
    .summary = "torchao, integer weights: transformers",
    .readers = kReaders,
    .claims = claims,
    .open = open,
    .module_of = module_of,
    .check = check,
    .usual_groups = usual_groups,
    .refusal = refusal,
    .storable = storable,
    .bits_per_weight = bits_per_weight,
    .plan = plan,
    .write = write,
    .config = write_torchao_config,
    .files = files,
    .metadata = metadata,
    .consumers = consumers,
};

}  // namespace nibble::layouts
