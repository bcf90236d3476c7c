// Reads Protocol Buffers messages, for tests of what is written: fields by number, not by meaning.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace nibble::test {

struct Fields {
  std::map<std::uint32_t, std::vector<std::int64_t>> numbers;  // four bytes as they lie, too
  std::map<std::uint32_t, std::vector<std::string>> strings;

  std::vector<std::int64_t> integers(std::uint32_t field) const {
    const auto found = numbers.find(field);
    return found == numbers.end() ? std::vector<std::int64_t>() : found->second;
  }
  std::vector<std::string> texts(std::uint32_t field) const {
    const auto found = strings.find(field);
    return found == strings.end() ? std::vector<std::string>() : found->second;
  }
  // Throw where there is none.
  std::int64_t integer(std::uint32_t field) const { return numbers.at(field).at(0); }
  std::string text(std::uint32_t field) const { return strings.at(field).at(0); }
};

inline Fields read_fields(std::string_view bytes) {
  const auto byte = [&] {
    const auto value = static_cast<unsigned char>(bytes.at(0));
    bytes.remove_prefix(1);
    return value;
  };
  const auto varint = [&] {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const std::uint64_t next = byte();
      value |= (next & 0x7F) << shift;
      if (next < 0x80) return value;
    }
  };
  Fields fields;
  while (!bytes.empty()) {
    const std::uint64_t key = varint();
    const auto field = static_cast<std::uint32_t>(key >> 3);
    if (key % 8 == 0) {
      fields.numbers[field].push_back(static_cast<std::int64_t>(varint()));
    } else if (key % 8 == 5) {
      std::int64_t value = 0;
      for (int i = 0; i < 4; ++i) value |= std::int64_t{byte()} << (8 * i);
      fields.numbers[field].push_back(value);
    } else if (key % 8 == 2) {
      const std::uint64_t length = varint();
      if (length > bytes.size()) throw std::out_of_range("cut short");
      fields.strings[field].emplace_back(bytes.substr(0, length));
      bytes.remove_prefix(length);
    } else {
      throw std::out_of_range("wire type");
    }
  }
  return fields;
}

}  // namespace nibble::test
