// The header of a GGUF file and its vocabulary: read or refused, never anything else.
#include <cstddef>
#include <cstdint>

#include "checkpoint/gguf_header.h"
#include "checkpoint/gguf_type.h"
#include "checkpoint/gguf_vocabulary.h"
#include "nibble/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  try {
    const nibble::GgufHeader header =
        nibble::read_gguf_header(std::as_bytes(std::span(bytes, count)));
    for (std::size_t i = 0; i < header.tensors.size(); ++i) {
      const nibble::TensorInfo& info = header.tensors[i];
      // Every range lies inside the file and has whole blocks.
      if (header.offsets[i] > count || info.bytes > count - header.offsets[i]) __builtin_trap();
      if (info.blocks != nullptr && info.bytes % info.blocks->block_bytes != 0) __builtin_trap();
    }
    nibble::read_gguf_vocabulary(header.metadata);
  } catch (const nibble::Error&) {
  }
  return 0;
}
