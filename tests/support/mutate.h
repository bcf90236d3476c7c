// Damages JSON text the way hostile files do: still mostly JSON, with one to three things wrong.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace nibble::test {

namespace mutation {

inline std::size_t any_position(const std::string& text, Random& random) {
  return text.empty() ? 0 : random.below(text.size());
}

template <std::size_t N>
std::string_view any_of(const std::array<std::string_view, N>& choices, Random& random) {
  return choices[random.below(N)];
}

inline void flip_bit(std::string& text, Random& random) {
  if (!text.empty()) text[any_position(text, random)] ^= static_cast<char>(1u << random.below(8));
}

inline void cut_short(std::string& text, Random& random) {
  text.resize(any_position(text, random));
}

inline void remove_range(std::string& text, Random& random) {
  text.erase(any_position(text, random), 1 + random.below(40));
}

// Replaces the first run of `is_member` characters at or after a random place.
template <typename IsMember>
void replace_run(std::string& text, std::string_view by, IsMember is_member, Random& random) {
  std::size_t begin = any_position(text, random);
  while (begin < text.size() && !is_member(text[begin])) ++begin;
  std::size_t end = begin;
  while (end < text.size() && is_member(text[end])) ++end;
  if (begin < text.size()) text.replace(begin, end - begin, by);
}

inline void replace_number(std::string& text, Random& random) {
  static constexpr std::array<std::string_view, 16> kExtremes = {"0",
                                                                 "-1",
                                                                 "1",
                                                                 "2147483648",
                                                                 "4294967296",
                                                                 "9223372036854775807",
                                                                 "9223372036854775808",
                                                                 "18446744073709551615",
                                                                 "18446744073709551616",
                                                                 "-9223372036854775809",
                                                                 "1e308",
                                                                 "1e999",
                                                                 "0.5",
                                                                 "4194305",
                                                                 "211106198978564",
                                                                 "-0"};
  replace_run(
      text, any_of(kExtremes, random), [](char c) { return c >= '0' && c <= '9'; }, random);
}

inline void replace_value(std::string& text, Random& random) {
  static constexpr std::array<std::string_view, 14> kValues = {"null",
                                                               "true",
                                                               "{}",
                                                               "[]",
                                                               "\"\"",
                                                               "\"../../x\"",
                                                               "\"/etc/passwd\"",
                                                               "\"\\ud800\"",
                                                               "\"\\u0000\"",
                                                               "\"\xFF\"",
                                                               "[[[]]]",
                                                               "{\"a\":{\"a\":1}}",
                                                               "\"x\\n\"",
                                                               "[0,0,0,0,0,0,0,0,0]"};
  const std::size_t colon = text.find(':', any_position(text, random));
  if (colon == std::string::npos) return;
  const std::size_t end = text.find_first_of(",}]", colon);
  text.replace(colon + 1, end == std::string::npos ? end : end - colon - 1,
               any_of(kValues, random));
}

// A key given twice: repeats the text from one quote to the next comma.
inline void repeat_member(std::string& text, Random& random) {
  const std::size_t begin = text.find('"', any_position(text, random));
  if (begin == std::string::npos) return;
  const std::size_t end = text.find_first_of(",}", begin);
  if (end == std::string::npos) return;
  text.insert(begin, text.substr(begin, end - begin) + ",");
}

inline void nest_deeply(std::string& text, Random& random) {
  const std::size_t depth = 1 + random.below(20'000);
  std::string nest;
  for (std::size_t i = 0; i < depth; ++i) nest += random.below(2) ? "[" : "{\"a\":";
  text.insert(any_position(text, random), nest);
}

inline void insert_noise(std::string& text, Random& random) {
  static constexpr std::array<std::string_view, 10> kNoise = {"{", "}",  "[",  "]", ",",
                                                              ":", "\"", "\\", " ", "//"};
  text.insert(any_position(text, random), any_of(kNoise, random));
}

inline void lengthen(std::string& text, Random& random) {
  text.insert(any_position(text, random), std::string(1 + random.below(5'000), 'a'));
}

}  // namespace mutation

inline std::string mutated_json(std::string_view valid, Random& random) {
  using namespace mutation;
  static constexpr std::array kMutations = {
      flip_bit,    cut_short,    remove_range, replace_number, replace_value, repeat_member,
      nest_deeply, insert_noise, lengthen,     replace_number, replace_value};
  std::string text(valid);
  for (std::uint64_t left = 1 + random.below(3); left > 0; --left)
    kMutations[random.below(kMutations.size())](text, random);
  return text;
}

}  // namespace nibble::test
