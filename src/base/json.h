// JSON from untrusted files: depth, size and duplicate keys are checked while parsing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace nibble {

using Json = nlohmann::ordered_json;  // keeps the order of keys, so a file written back reads alike

struct JsonLimits {
  std::size_t depth = 128;
  std::size_t keys = 4'000'000;  // over all objects; a vocabulary of 256 k tokens fits
};

// Throws kCorruptFile with the byte offset: bad syntax, bad UTF-8, a key given twice, a limit
// exceeded.
Json parse_json(std::string_view text, const JsonLimits& limits = {});

// The same for a file of at most `max_bytes`; the path is part of every message.
Json read_json(const std::filesystem::path& path, std::uint64_t max_bytes = 256ull << 20);

// Typed getters. A missing or null key gives `otherwise`; a value of another type, or out of
// [low, high], throws kCorruptFile naming the key, the value and what was expected.
std::int64_t json_int(const Json& object, const char* key, std::int64_t otherwise, std::int64_t low,
                      std::int64_t high);
double json_number(const Json& object, const char* key, double otherwise);
bool json_bool(const Json& object, const char* key, bool otherwise);
std::string json_string(const Json& object, const char* key, std::string_view otherwise);

}  // namespace nibble
