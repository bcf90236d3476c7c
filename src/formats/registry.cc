// The formats that list.def names.
#include "base/text.h"
#include "formats/format.h"
#include "formats/stream.h"
#include "nibble/error.h"

namespace nibble::formats {

#define FORMAT(name) extern const Format name;
#include "formats/list.def"
#undef FORMAT

std::span<const Format* const> all() {
  static const Format* const list[] = {
#define FORMAT(name) &name,
#include "formats/list.def"
#undef FORMAT
  };
  return list;
}

const Format& with_bits(int bits) {
  for (const Format* format : all())
    if (format->bits == bits) return *format;
  if (const Format* stream = stream_of(bits)) return *stream;
  throw Error(ErrorKind::kUnsupported, cat("no format holds codes of ", bits, " bits"));
}

const Format& running(const Grid& grid) {
  return with_bits(grid.uniform() && (grid.bits == 5 || grid.bits == 6) ? 8 : grid.bits);
}

}  // namespace nibble::formats
