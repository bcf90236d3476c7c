#include "checkpoint/layouts/module_tensors.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/text.h"
#include "nibble/error.h"
#include "tensor/half.h"

namespace nibble::layouts {
namespace {

constexpr std::int64_t kMostSide = 1 << 28;

std::vector<std::int64_t> signed_sizes(std::initializer_list<std::size_t> shape) {
  std::vector<std::int64_t> sizes;
  for (const std::size_t size : shape) sizes.push_back(static_cast<std::int64_t>(size));
  return sizes;
}

}  // namespace

const TensorInfo* ModuleTensors::find(std::string_view suffix) const {
  return reader_.find(cat(module_, suffix));
}

const TensorInfo& ModuleTensors::at(std::string_view suffix,
                                    std::initializer_list<DType> types) const {
  const TensorInfo& info = reader_.at(cat(module_, suffix));
  if (std::find(types.begin(), types.end(), info.dtype) == types.end()) {
    std::vector<std::string> known;
    for (const DType type : types) known.emplace_back(name(type));
    corrupt(cat(info.name, " has type ", name(info.dtype), "; expected ", join(known, ", ")));
  }
  std::size_t size = static_cast<std::size_t>(bits(info.dtype)) / 8;
  for (const std::int64_t side : info.shape) size *= static_cast<std::size_t>(side);
  if (const std::size_t found = reader_.bytes(info).size(); found != size)
    corrupt(cat(info.name, " has ", found, " bytes; expected ", size));
  return info;
}

const TensorInfo& ModuleTensors::at(std::string_view suffix, std::initializer_list<DType> types,
                                    std::span<const std::int64_t> shape) const {
  const TensorInfo& info = at(suffix, types);
  if (!std::equal(info.shape.begin(), info.shape.end(), shape.begin(), shape.end()))
    corrupt(cat(info.name, " has shape ", list_text(info.shape), "; expected ", list_text(shape)));
  return info;
}

std::pair<std::size_t, std::size_t> ModuleTensors::matrix(std::string_view suffix,
                                                          DType type) const {
  const TensorInfo& info = reader_.at(cat(module_, suffix));
  if (info.shape.size() != 2 || info.shape[0] < 1 || info.shape[1] < 1 ||
      info.shape[0] > kMostSide || info.shape[1] > kMostSide)
    corrupt(cat(info.name, " has shape ", list_text(info.shape), "; expected a matrix"));
  at(suffix, {type}, info.shape);
  return {static_cast<std::size_t>(info.shape[0]), static_cast<std::size_t>(info.shape[1])};
}

std::span<const std::byte> ModuleTensors::bytes(std::string_view suffix, DType type,
                                                std::initializer_list<std::size_t> shape) const {
  return reader_.bytes(at(suffix, {type}, signed_sizes(shape)));
}

std::vector<float> ModuleTensors::floats(std::string_view suffix,
                                         std::initializer_list<std::size_t> shape) const {
  const TensorInfo& info =
      at(suffix, {DType::kF32, DType::kF16, DType::kBF16}, signed_sizes(shape));
  const auto stored = reader_.bytes(info);
  std::vector<float> values(stored.size() * 8 / static_cast<std::size_t>(bits(info.dtype)));
  if (info.dtype == DType::kF32) {
    std::memcpy(values.data(), stored.data(), stored.size());
  } else {
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::uint16_t half = 0;
      std::memcpy(&half, stored.data() + 2 * i, 2);
      values[i] = info.dtype == DType::kF16 ? half_to_float(half) : bfloat16_to_float(half);
    }
  }
  for (const float value : values)
    if (!std::isfinite(value)) corrupt(cat(info.name, " holds a non-finite value"));
  return values;
}

void ModuleTensors::corrupt(const std::string& what) const {
  throw Error(ErrorKind::kCorruptFile, cat("module \"", module_, "\": ", what));
}

void ModuleTensors::unsupported(const std::string& what, std::string_view fix) const {
  throw Error(ErrorKind::kUnsupported, cat("module \"", module_, "\": ", what), fix);
}

std::optional<std::string> module_of_suffix(const TensorInfo& tensor, std::string_view suffix) {
  if (!tensor.name.ends_with(suffix)) return std::nullopt;
  return tensor.name.substr(0, tensor.name.size() - suffix.size());
}

std::vector<std::byte> bytes_of(const void* from, std::size_t count) {
  std::vector<std::byte> bytes(count);
  std::memcpy(bytes.data(), from, count);
  return bytes;
}

std::vector<std::byte> float_bytes(std::span<const float> values, DType type) {
  if (type == DType::kF32) return bytes_of(values.data(), 4 * values.size());
  std::vector<std::uint16_t> halves(values.size());
  std::transform(values.begin(), values.end(), halves.begin(),
                 type == DType::kF16 ? float_to_half : float_to_bfloat16);
  return bytes_of(halves.data(), 2 * halves.size());
}

DType float_type_of(DType type) {
  return type == DType::kF16 || type == DType::kF32 ? type : DType::kBF16;
}

std::string_view torch_name(DType type) {
  return type == DType::kF16 ? "float16" : type == DType::kF32 ? "float32" : "bfloat16";
}

TensorInfo planned(std::string name, DType type, std::initializer_list<std::size_t> shape) {
  TensorInfo info{std::move(name), type, signed_sizes(shape), 0};
  info.bytes = static_cast<std::size_t>(bits(type)) / 8;
  for (const std::size_t size : shape) info.bytes *= size;
  return info;
}

}  // namespace nibble::layouts
