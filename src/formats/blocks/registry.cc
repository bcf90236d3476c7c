// The block formats that list.def names.
#include "formats/block_format.h"

namespace nibble::block_formats {

#define BLOCK_FORMAT(name) extern const BlockFormat name;
#include "formats/blocks/list.def"
#undef BLOCK_FORMAT

std::span<const BlockFormat* const> all() {
  static const BlockFormat* const list[] = {
#define BLOCK_FORMAT(name) &name,
#include "formats/blocks/list.def"
#undef BLOCK_FORMAT
  };
  return list;
}

const BlockFormat* with_type(std::uint32_t ggml_type) {
  for (const BlockFormat* format : all())
    if (format->ggml_type == ggml_type) return format;
  return nullptr;
}

}  // namespace nibble::block_formats
