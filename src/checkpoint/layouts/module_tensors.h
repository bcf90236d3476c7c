// The tensors of one module, each checked for its type and size as it is taken.
#pragma once

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nibble/checkpoint.h"

namespace nibble::layouts {

class ModuleTensors {
 public:
  // Both stay with the caller.
  ModuleTensors(const CheckpointReader& reader, const std::string& module)
      : reader_(reader), module_(module) {}

  // `suffix` with its dot: ".scales". Null: it is not there.
  const TensorInfo* find(std::string_view suffix) const;
  // Throws kNotFound, and kCorruptFile when its type is none of these or its shape another.
  const TensorInfo& at(std::string_view suffix, std::initializer_list<DType> types,
                       std::span<const std::int64_t> shape) const;
  // The same of any shape.
  const TensorInfo& at(std::string_view suffix, std::initializer_list<DType> types) const;
  // The same of a matrix, whose sizes come out: both 1 to 2^28.
  std::pair<std::size_t, std::size_t> matrix(std::string_view suffix, DType type) const;
  std::span<const std::byte> bytes(std::string_view suffix, DType type,
                                   std::initializer_list<std::size_t> shape) const;
  // F16, BF16 or F32, as they are stored; throws kCorruptFile when one is not finite.
  std::vector<float> floats(std::string_view suffix,
                            std::initializer_list<std::size_t> shape) const;

  [[noreturn]] void corrupt(const std::string& what) const;
  [[noreturn]] void unsupported(const std::string& what, std::string_view fix) const;

 private:
  const CheckpointReader& reader_;
  const std::string& module_;
};

// The module of a tensor that is called so: "m" of "m.qweight" where `suffix` is ".qweight".
std::optional<std::string> module_of_suffix(const TensorInfo& tensor, std::string_view suffix);

// Values as bytes, little-endian as they lie.
std::vector<std::byte> bytes_of(const void* from, std::size_t count);
template <typename Value>
std::vector<std::byte> bytes_of(const std::vector<Value>& values) {
  return bytes_of(values.data(), values.size() * sizeof(Value));
}
// Floats as F16, BF16 or F32.
std::vector<std::byte> float_bytes(std::span<const float> values, DType type);
// F16, BF16 and F32 as they are; BF16 instead of any other.
DType float_type_of(DType type);
// What PyTorch calls that: "bfloat16".
std::string_view torch_name(DType type);

// A tensor of this type and shape that will be written.
TensorInfo planned(std::string name, DType type, std::initializer_list<std::size_t> shape);

}  // namespace nibble::layouts
