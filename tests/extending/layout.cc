// A worked example of docs/extending.md: in the tree this would be src/checkpoint/layouts/bytes.cc.
#include "checkpoint/layout.h"

#include <cstring>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "nibble/error.h"

// One byte a code and a float32 scale for each row. For a layer "m" with weight [out, in]:
//
//   m.codes   U8  [out, in]
//   m.scales  F32 [out]      weight[o, i] = scales[o] · (code − 128)
namespace nibble::layouts {
namespace {

std::string refusal(const CodeShape& shape) {
  if (shape.grid->name != "int8") return cat("this layout holds int8, not ", shape.grid->name);
  if (shape.group_size != shape.columns) return "this layout holds one group for each row";
  return {};
}

Storable storable(const CodeShape&, const LayoutSettings&) {
  Storable storable;
  storable.scale_type = DType::kF32;
  storable.free_zeros = false;  // 128 is the only one there is
  return storable;
}

double bits_per_weight(const CodeShape& shape, const LayoutSettings&) {
  return 8 + 32.0 / static_cast<double>(shape.columns);
}

std::optional<std::string> module_of(const TensorInfo& tensor) {
  if (!tensor.name.ends_with(".codes")) return std::nullopt;
  return tensor.name.substr(0, tensor.name.size() - 6);
}

std::vector<TensorInfo> plan(const std::string& module, const CodeShape& shape,
                             const LayoutSettings&) {
  const auto rows = static_cast<std::int64_t>(shape.rows);
  const auto columns = static_cast<std::int64_t>(shape.columns);
  return {{module + ".codes", DType::kU8, {rows, columns}, shape.rows * shape.columns},
          {module + ".scales", DType::kF32, {rows}, 4 * shape.rows}};
}

std::vector<NamedBytes> write(const std::string& module, const Codes& codes,
                              const LayoutSettings& settings) {
  const auto infos = plan(module, codes, settings);
  std::vector<NamedBytes> tensors = {{infos[0], std::vector<std::byte>(infos[0].bytes)},
                                     {infos[1], std::vector<std::byte>(infos[1].bytes)}};
  std::memcpy(tensors[0].bytes.data(), codes.codes.data(), infos[0].bytes);
  std::memcpy(tensors[1].bytes.data(), codes.scales.data(), infos[1].bytes);
  return tensors;
}

class Stored final : public StoredCodes {
 public:
  Stored(CodeShape shape, std::span<const std::byte> codes, std::span<const std::byte> scales)
      : StoredCodes(std::move(shape)), codes_(codes), scales_(scales) {}
  std::size_t bytes() const override { return codes_.size() + scales_.size(); }
  void read_codes(std::size_t first, std::size_t block, std::size_t count,
                  std::uint32_t* out) const override {
    const std::size_t columns = shape().columns;
    for (std::size_t step = 8 * block; step < 8 * (block + count); ++step)
      for (std::size_t row = first; row < first + kRowsTogether; ++row, ++out)
        if (row < shape().rows && 4 * step + 4 <= columns)
          std::memcpy(out, codes_.data() + row * columns + 4 * step, 4);
  }
  void read_scales(std::size_t first, float* scales, float* zeros) const override {
    for (std::size_t lane = 0; lane < kRowsTogether; ++lane) {
      const bool there = first + lane < shape().rows;
      scales[lane] = 0;
      if (there) std::memcpy(&scales[lane], scales_.data() + 4 * (first + lane), 4);
      zeros[lane] = there ? 128 : 0;
    }
  }

 private:
  std::span<const std::byte> codes_, scales_;
};

class Modules final : public StoredModules {
 public:
  explicit Modules(const CheckpointReader& reader) : reader_(reader) {}
  bool holds(const std::string& module) const override {
    return reader_.find(module + ".codes") != nullptr;
  }
  std::unique_ptr<StoredCodes> open(const std::string& module) const override {
    const TensorInfo& codes = reader_.at(module + ".codes");
    const TensorInfo& scales = reader_.at(module + ".scales");
    if (codes.shape.size() != 2 || codes.shape[1] % 4 != 0 ||
        scales.bytes != 4 * static_cast<std::uint64_t>(codes.shape[0]))
      throw Error(ErrorKind::kCorruptFile, cat("module \"", module, "\": sizes do not fit"));
    return std::make_unique<Stored>(
        code_shape(static_cast<std::size_t>(codes.shape[0]),
                   static_cast<std::size_t>(codes.shape[1]), {&grids::named("int8"), 0}),
        reader_.bytes(codes), reader_.bytes(scales));
  }

 private:
  const CheckpointReader& reader_;
};

bool claims(const Json& config) { return json_string(config, "quant_method", "") == "bytes"; }
std::unique_ptr<StoredModules> open(const CheckpointReader& reader, const Json&) {
  return std::make_unique<Modules>(reader);
}
std::vector<Finding> check(const CheckpointReader&, const Json&) { return {}; }
Json config(const LayoutSettings&) { return {{"quant_method", "bytes"}}; }
std::vector<std::pair<std::string, std::string>> files(const LayoutSettings&) { return {}; }
constexpr std::size_t kUsualGroups[] = {std::size_t{1} << 24};  // none: rows are whole
std::span<const std::size_t> usual_groups(const Grid&, std::string_view) { return kUsualGroups; }

}  // namespace

extern const Layout bytes{
    .name = "bytes",
    .summary = "an example",
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
    .config = config,
    .files = files,
};

}  // namespace nibble::layouts
