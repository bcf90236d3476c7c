// The key/value part of a GGUF file. Values stay in the mapped file; every getter states which
// type and range it takes, and throws kCorruptFile for anything else. A missing key is no error.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/byte_reader.h"

namespace nibble {

class GgufMetadata {
 public:
  static constexpr std::uint64_t kMaxPairs = 65'536;
  static constexpr std::uint64_t kMaxKey = 65'535;
  static constexpr std::uint64_t kMaxText = 64u << 20;
  static constexpr std::uint64_t kMaxArray = 1u << 26;

  // Takes `count` pairs from `reader`, whose bytes must outlive this. Throws kCorruptFile.
  static GgufMetadata read(ByteReader& reader, std::uint64_t count);

  struct Record {
    std::string_view key;
    std::span<const std::byte> bytes;  // key, type and value as they lie in the file
  };
  std::vector<Record> records() const;  // in the file's order

  bool has(std::string_view key) const { return find(key) != nullptr; }
  // Any of the integer types.
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t low,
                                      std::int64_t high) const;
  // float32 or float64, finite.
  std::optional<double> number(std::string_view key, double low, double high) const;
  std::optional<bool> flag(std::string_view key) const;
  std::optional<std::string> text(std::string_view key, std::size_t max_bytes = kMaxText) const;
  // Arrays of at most `max_count` elements.
  std::optional<std::vector<std::string>> texts(std::string_view key, std::size_t max_count) const;
  std::optional<std::vector<float>> floats(std::string_view key, std::size_t max_count) const;
  std::optional<std::vector<std::int32_t>> integers(std::string_view key,
                                                    std::size_t max_count) const;

 private:
  // The numbers of the file format.
  enum class Type : std::uint32_t {
    kU8,
    kI8,
    kU16,
    kI16,
    kU32,
    kI32,
    kF32,
    kBool,
    kText,
    kArray,
    kU64,
    kI64,
    kF64
  };
  struct Pair {
    std::string_view key;
    Type type{};
    Type element{};           // of an array
    std::uint64_t count = 1;  // of an array
    std::span<const std::byte> bytes;
    std::span<const std::byte> record;  // with key and type
  };

  static Type read_type(ByteReader& reader, std::string_view what);
  static std::size_t size_of(Type type);  // 0: not of fixed size
  static std::string_view name_of(Type type);
  static void read_value(ByteReader& reader, Pair& pair);
  static std::int64_t integer_at(const Pair& pair, Type type, std::size_t index);

  const Pair* find(std::string_view key) const;
  const Pair* find_array(std::string_view key, std::size_t max_count) const;

  std::vector<Pair> pairs_;  // sorted by key
};

}  // namespace nibble
