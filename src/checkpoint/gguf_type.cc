#include "checkpoint/gguf_type.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::array<std::pair<std::uint32_t, DType>, 8> kPlain = {{{0, DType::kF32},
                                                                    {1, DType::kF16},
                                                                    {24, DType::kI8},
                                                                    {25, DType::kI16},
                                                                    {26, DType::kI32},
                                                                    {27, DType::kI64},
                                                                    {28, DType::kF64},
                                                                    {30, DType::kBF16}}};

// Types that exist and that no block format of ours reads: only to be named.
constexpr std::array<std::pair<std::uint32_t, std::string_view>, 9> kForeign = {{{9, "Q8_1"},
                                                                                 {15, "Q8_K"},
                                                                                 {16, "IQ2_XXS"},
                                                                                 {17, "IQ2_XS"},
                                                                                 {18, "IQ3_XXS"},
                                                                                 {19, "IQ1_S"},
                                                                                 {21, "IQ3_S"},
                                                                                 {22, "IQ2_S"},
                                                                                 {29, "IQ1_M"}}};

std::string known_types() {
  std::vector<std::string> names = {"F32", "F16", "BF16"};
  for (const BlockFormat* format : block_formats::all()) names.emplace_back(format->name);
  return join(names, ", ");
}

}  // namespace

GgufType gguf_type(std::uint32_t number) {
  for (const auto& [plain, dtype] : kPlain)
    if (plain == number) return {nullptr, dtype};
  if (const BlockFormat* blocks = block_formats::with_type(number)) return {blocks};
  for (const auto& [foreign, name] : kForeign)
    if (foreign == number)
      throw Error(ErrorKind::kUnsupported, cat("has type ", name, ", which is not read"),
                  cat("take a file whose tensors have these types: ", known_types()));
  throw Error(ErrorKind::kCorruptFile, cat("has type number ", number, ", which nobody uses"));
}

bool gguf_named_alike(std::string_view a, std::string_view b) {
  const auto large = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return large(x) == large(y); });
}

GgufType gguf_type_named(std::string_view wanted) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16})
    if (gguf_named_alike(name(dtype), wanted)) return {nullptr, dtype};
  for (const BlockFormat* format : block_formats::all())
    if (gguf_named_alike(format->name, wanted)) return {format};
  throw Error(ErrorKind::kInvalidArgument, cat("\"", wanted, "\" is no type of a GGUF tensor"),
              cat("one of: ", known_types()));
}

std::string_view name(const GgufType& type) {
  return type.blocks != nullptr ? type.blocks->name : name(type.dtype);
}

std::uint32_t gguf_type_number(const TensorInfo& info) {
  if (info.blocks != nullptr) return info.blocks->ggml_type;
  for (const auto& [number, dtype] : kPlain)
    if (dtype == info.dtype) return number;
  throw Error(ErrorKind::kUnsupported, cat("tensor \"", info.name, "\" has type ", name(info.dtype),
                                           ", which no GGUF file can hold"));
}

}  // namespace nibble
