// Numbers as they lie in a file, least significant byte first: what ByteReader reads.
#pragma once

#include <cstring>
#include <string>

namespace nibble {

template <typename Number>
void put_number(std::string& out, Number value) {
  const std::size_t at = out.size();
  out.resize(at + sizeof(value));
  std::memcpy(out.data() + at, &value, sizeof(value));
}

}  // namespace nibble
