#include "quantize/nonfinite.h"

#include <cstring>
#include <type_traits>

#include "base/parallel.h"

namespace nibble {
namespace {

// The bits of a float that are all ones in NaN and infinity.
template <typename Bits>
NonFinite scan(std::span<const std::byte> bytes, Bits exponent) {
  NonFinite found;
  const std::size_t count = bytes.size() / sizeof(Bits);
  for (std::size_t i = 0; i < count; ++i) {
    Bits value;
    std::memcpy(&value, bytes.data() + i * sizeof(Bits), sizeof(Bits));
    if ((value & exponent) == exponent && found.count++ == 0) found.first = i;
  }
  return found;
}

NonFinite scan(std::span<const std::byte> bytes, DType type) {
  switch (type) {
    case DType::kF16:
      return scan<std::uint16_t>(bytes, 0x7C00);
    case DType::kBF16:
      return scan<std::uint16_t>(bytes, 0x7F80);
    case DType::kF32:
      return scan<std::uint32_t>(bytes, 0x7F800000);
    default:
      return {};
  }
}

}  // namespace

std::vector<NonFinite> find_nonfinite(const CheckpointReader& reader) {
  const auto tensors = reader.tensors();
  std::vector<NonFinite> all(tensors.size());
  parallel_for(tensors.size(), [&](std::size_t i) {
    all[i] = scan(reader.bytes(tensors[i]), tensors[i].dtype);
    all[i].tensor = tensors[i].name;
  });
  std::erase_if(all, [](const NonFinite& found) { return found.count == 0; });
  return all;
}

}  // namespace nibble
