#include "quantize/calibration/samples.h"

#include <algorithm>

namespace nibble {

std::size_t chunk_windows(std::size_t length) {
  constexpr std::size_t kChunkTokens = 2048;
  return std::max<std::size_t>(1, kChunkTokens / std::max<std::size_t>(1, length));
}

}  // namespace nibble
