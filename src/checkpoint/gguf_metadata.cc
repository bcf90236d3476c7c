#include "checkpoint/gguf_metadata.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

namespace nibble {
namespace {

[[noreturn]] void refuse(std::string_view key, const std::string& what) {
  throw Error(ErrorKind::kCorruptFile, cat("key \"", key.substr(0, 200), "\" ", what));
}

struct TypeRow {
  std::string_view name;
  std::size_t bytes;
};

constexpr std::array<TypeRow, 13> kTypes = {{{"uint8", 1},
                                             {"int8", 1},
                                             {"uint16", 2},
                                             {"int16", 2},
                                             {"uint32", 4},
                                             {"int32", 4},
                                             {"float32", 4},
                                             {"bool", 1},
                                             {"string", 0},
                                             {"array", 0},
                                             {"uint64", 8},
                                             {"int64", 8},
                                             {"float64", 8}}};

template <typename Number>
Number value_at(std::span<const std::byte> bytes, std::size_t index) {
  return ByteReader(bytes.subspan(index * sizeof(Number))).number<Number>("value");
}

void check_flags(std::string_view key, std::span<const std::byte> bytes) {
  for (const std::byte flag : bytes)
    if (std::to_integer<int>(flag) > 1)
      refuse(key, cat("is a bool of value ", std::to_integer<int>(flag), "; expected 0 or 1"));
}

}  // namespace

std::size_t GgufMetadata::size_of(Type type) {
  return kTypes[static_cast<std::size_t>(type)].bytes;
}
std::string_view GgufMetadata::name_of(Type type) {
  return kTypes[static_cast<std::size_t>(type)].name;
}

GgufMetadata::Type GgufMetadata::read_type(ByteReader& reader, std::string_view what) {
  const auto number = reader.number<std::uint32_t>(what);
  if (number >= kTypes.size())
    throw Error(ErrorKind::kCorruptFile,
                cat(what, " has type number ", number, "; expected 0 to ", kTypes.size() - 1));
  return static_cast<Type>(number);
}

void GgufMetadata::read_value(ByteReader& reader, Pair& pair) {
  pair.type = read_type(reader, "value");
  pair.element = pair.type;
  if (pair.type == Type::kArray) {
    pair.element = read_type(reader, "array element");
    if (pair.element == Type::kArray) refuse(pair.key, "is an array of arrays, which is not read");
    const std::size_t least = pair.element == Type::kText ? 8 : size_of(pair.element);
    pair.count = reader.count(reader.number<std::uint64_t>("array length"), least, kMaxArray,
                              "array elements");
  }
  if (pair.element == Type::kText) {
    ByteReader walked = reader;
    for (std::uint64_t i = 0; i < pair.count; ++i) walked.text(kMaxText, "string");
    pair.bytes = reader.take(walked.position() - reader.position(), "string");
  } else {
    // The count was compared with the bytes left: the product cannot wrap.
    pair.bytes = reader.take(pair.count * size_of(pair.element), "value");
    if (pair.element == Type::kBool) check_flags(pair.key, pair.bytes);
  }
}

GgufMetadata GgufMetadata::read(ByteReader& reader, std::uint64_t count) {
  // The smallest pair: a key of one character and a byte.
  constexpr std::uint64_t kLeast = 8 + 1 + 4 + 1;
  GgufMetadata metadata;
  metadata.pairs_.reserve(
      static_cast<std::size_t>(reader.count(count, kLeast, kMaxPairs, "key/value pairs")));
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::size_t begin = reader.position();
    Pair pair;
    pair.key = reader.text(kMaxKey, "key");
    if (pair.key.empty() || !is_valid_utf8(pair.key))
      throw Error(ErrorKind::kCorruptFile,
                  cat("byte ", reader.position(), ": key ", i, " is empty or not UTF-8"));
    with_context(cat("key \"", pair.key.substr(0, 200), "\""), [&] { read_value(reader, pair); });
    pair.record = reader.since(begin);
    metadata.pairs_.push_back(pair);
  }
  const auto by_key = [](const Pair& a, const Pair& b) { return a.key < b.key; };
  std::sort(metadata.pairs_.begin(), metadata.pairs_.end(), by_key);
  for (std::size_t i = 1; i < metadata.pairs_.size(); ++i)
    if (metadata.pairs_[i].key == metadata.pairs_[i - 1].key)
      refuse(metadata.pairs_[i].key, "is given twice");
  return metadata;
}

std::vector<GgufMetadata::Record> GgufMetadata::records() const {
  std::vector<Record> records;
  for (const Pair& pair : pairs_) records.push_back({pair.key, pair.record});
  std::sort(records.begin(), records.end(), [](const Record& a, const Record& b) {
    return std::less<>()(a.bytes.data(), b.bytes.data());
  });
  return records;
}

const GgufMetadata::Pair* GgufMetadata::find(std::string_view key) const {
  const auto found =
      std::lower_bound(pairs_.begin(), pairs_.end(), key,
                       [](const Pair& pair, std::string_view wanted) { return pair.key < wanted; });
  return found != pairs_.end() && found->key == key ? &*found : nullptr;
}

std::int64_t GgufMetadata::integer_at(const Pair& pair, Type type, std::size_t index) {
  switch (type) {
    case Type::kU8:
      return value_at<std::uint8_t>(pair.bytes, index);
    case Type::kI8:
      return value_at<std::int8_t>(pair.bytes, index);
    case Type::kU16:
      return value_at<std::uint16_t>(pair.bytes, index);
    case Type::kI16:
      return value_at<std::int16_t>(pair.bytes, index);
    case Type::kU32:
      return value_at<std::uint32_t>(pair.bytes, index);
    case Type::kI32:
      return value_at<std::int32_t>(pair.bytes, index);
    case Type::kI64:
      return value_at<std::int64_t>(pair.bytes, index);
    case Type::kU64: {
      const auto value = value_at<std::uint64_t>(pair.bytes, index);
      if (value > static_cast<std::uint64_t>(INT64_MAX)) refuse(pair.key, cat("is ", value));
      return static_cast<std::int64_t>(value);
    }
    default:
      refuse(pair.key, cat("has type ", name_of(type), "; expected an integer"));
  }
}

std::optional<std::int64_t> GgufMetadata::integer(std::string_view key, std::int64_t low,
                                                  std::int64_t high) const {
  const Pair* pair = find(key);
  if (pair == nullptr) return std::nullopt;
  const std::int64_t value = integer_at(*pair, pair->type, 0);
  if (value < low || value > high) refuse(key, cat("is ", value, "; expected ", low, " to ", high));
  return value;
}

std::optional<double> GgufMetadata::number(std::string_view key, double low, double high) const {
  const Pair* pair = find(key);
  if (pair == nullptr) return std::nullopt;
  if (pair->type != Type::kF32 && pair->type != Type::kF64)
    refuse(key, cat("has type ", name_of(pair->type), "; expected float32"));
  const double value = pair->type == Type::kF32
                           ? static_cast<double>(value_at<float>(pair->bytes, 0))
                           : value_at<double>(pair->bytes, 0);
  if (!(value >= low && value <= high))
    refuse(key, cat("is ", value, "; expected ", low, " to ", high));
  return value;
}

std::optional<bool> GgufMetadata::flag(std::string_view key) const {
  const Pair* pair = find(key);
  if (pair == nullptr) return std::nullopt;
  if (pair->type != Type::kBool)
    refuse(key, cat("has type ", name_of(pair->type), "; expected bool"));
  return pair->bytes[0] != std::byte{0};
}

std::optional<std::string> GgufMetadata::text(std::string_view key, std::size_t max_bytes) const {
  const Pair* pair = find(key);
  if (pair == nullptr) return std::nullopt;
  if (pair->type != Type::kText)
    refuse(key, cat("has type ", name_of(pair->type), "; expected string"));
  return std::string(ByteReader(pair->bytes).text(max_bytes, key));
}

const GgufMetadata::Pair* GgufMetadata::find_array(std::string_view key,
                                                   std::size_t max_count) const {
  const Pair* pair = find(key);
  if (pair == nullptr) return nullptr;
  if (pair->type != Type::kArray)
    refuse(key, cat("has type ", name_of(pair->type), "; expected array"));
  if (pair->count > max_count)
    refuse(key, cat("has ", pair->count, " elements; at most ", max_count, " are allowed"));
  return pair;
}

std::optional<std::vector<std::string>> GgufMetadata::texts(std::string_view key,
                                                            std::size_t max_count) const {
  const Pair* pair = find_array(key, max_count);
  if (pair == nullptr) return std::nullopt;
  if (pair->element != Type::kText)
    refuse(key, cat("is an array of ", name_of(pair->element), "; expected string"));
  ByteReader reader(pair->bytes);
  std::vector<std::string> values(pair->count);
  for (std::string& value : values) value = reader.text(kMaxText, key);
  return values;
}

std::optional<std::vector<float>> GgufMetadata::floats(std::string_view key,
                                                       std::size_t max_count) const {
  const Pair* pair = find_array(key, max_count);
  if (pair == nullptr) return std::nullopt;
  if (pair->element != Type::kF32)
    refuse(key, cat("is an array of ", name_of(pair->element), "; expected float32"));
  std::vector<float> values(pair->count);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = value_at<float>(pair->bytes, i);
    if (std::isnan(values[i])) refuse(key, cat("has no number at place ", i));
  }
  return values;
}

std::optional<std::vector<std::int32_t>> GgufMetadata::integers(std::string_view key,
                                                                std::size_t max_count) const {
  const Pair* pair = find_array(key, max_count);
  if (pair == nullptr) return std::nullopt;
  std::vector<std::int32_t> values(pair->count);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::int64_t value = integer_at(*pair, pair->element, i);
    if (value < INT32_MIN || value > INT32_MAX) refuse(key, cat("holds ", value));
    values[i] = static_cast<std::int32_t>(value);
  }
  return values;
}

}  // namespace nibble
