// The header of a safetensors file: opened or refused, never anything else.
#include <cstddef>
#include <cstdint>

#include "checkpoint/safetensors_header.h"
#include "nibble/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  try {
    const auto file = std::as_bytes(std::span(bytes, count));
    const nibble::SafetensorsHeader header = nibble::read_safetensors_header(file);
    for (std::size_t i = 0; i < header.tensors.size(); ++i) {
      const nibble::TensorInfo& info = header.tensors[i];
      // Every range lies inside the file and fits its shape.
      if (header.offsets[i] > count || info.bytes > count - header.offsets[i] ||
          nibble::tensor_bytes(info) != info.bytes)
        __builtin_trap();
    }
  } catch (const nibble::Error&) {
  }
  return 0;
}
