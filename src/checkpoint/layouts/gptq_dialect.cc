// Which of GPTQ's two dialects a checkpoint's zeros are in, whatever its config claims.
#include <algorithm>
#include <cstring>

#include "checkpoint/layouts/gptq_config.h"

namespace nibble::layouts {
namespace {

constexpr std::string_view kZeros = ".qzeros";

std::size_t size_of(std::int64_t value) { return static_cast<std::size_t>(value); }

// Is each stored field of these [groups, words] the middle of its grid? Fields behind the last
// output fill the last word and may hold anything.
bool all_middle(std::span<const std::byte> bytes, std::size_t groups, std::size_t words,
                std::size_t outputs, std::size_t width) {
  const std::uint64_t mask = (1u << width) - 1, middle = 1u << (width - 1);
  for (std::size_t group = 0; group < groups; ++group)
    for (std::size_t output = 0; output < outputs; ++output) {
      const std::size_t bit = output * width, word = bit / 32;
      std::uint64_t field = 0;  // of two neighbouring words
      std::memcpy(&field, bytes.data() + 4 * (group * words + word), word + 1 < words ? 8 : 4);
      if ((field >> bit % 32 & mask) != middle) return false;
    }
  return true;
}

}  // namespace

const std::string kSecondDialectNote =
    "the config calls the zeros \"gptq\" (v1), but all of them are stored as \"gptq_v2\" stores a "
    "symmetric grid: they are read as gptq_v2";

bool is_second_dialect(const CheckpointReader& reader, const GptqConfig& config) {
  if (!config.symmetric || config.stores_true_zero()) return false;
  bool any = false;
  for (const TensorInfo& info : reader.tensors()) {
    if (!info.name.ends_with(kZeros)) continue;
    const std::string module = info.name.substr(0, info.name.size() - kZeros.size());
    const TensorInfo* codes = reader.find(module + ".qweight");
    // Broken shapes are told where the module is opened.
    if (codes == nullptr || codes->shape.size() != 2 || info.shape.size() != 2 ||
        info.dtype != DType::kI32)
      return false;
    const auto width = static_cast<std::size_t>(config.settings_of(module).grid->bits);
    const std::size_t outputs = size_of(codes->shape[1]), words = size_of(info.shape[1]);
    if (words != (outputs * width + 31) / 32 || outputs == 0) return false;
    if (!all_middle(reader.bytes(info), size_of(info.shape[0]), words, outputs, width))
      return false;
    any = true;
  }
  return any;
}

}  // namespace nibble::layouts
