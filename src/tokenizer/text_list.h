// Many short strings in one block of memory: a quarter of a million tokens without as many
// allocations.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nibble::tokenizer {

class TextList {
 public:
  void add(std::string_view text) {
    text_ += text;
    ends_.push_back(static_cast<std::uint32_t>(text_.size()));
  }
  std::size_t size() const { return ends_.size(); }
  std::string_view operator[](std::size_t i) const {
    const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(text_).substr(begin, ends_[i] - begin);
  }

 private:
  std::string text_;  // below 4 GiB: files are refused long before
  std::vector<std::uint32_t> ends_;
};

// A mixing hash of short texts (multiply and fold, eight bytes at a time).
inline std::uint64_t hash_text(std::string_view text) {
  constexpr std::uint64_t kMultiplier = 0x9E3779B97F4A7C15ull;
  const auto fold = [](std::uint64_t a, std::uint64_t b) {
    const auto product = static_cast<unsigned __int128>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  };
  std::uint64_t hash = text.size() * kMultiplier ^ 0x243F6A8885A308D3ull;
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t part;
    __builtin_memcpy(&part, text.data() + i, 8);
    hash = fold(hash ^ part, kMultiplier);
  }
  std::uint64_t rest = 0;
  __builtin_memcpy(&rest, text.data() + i, text.size() - i);
  return fold(hash ^ rest, 0xD6E8FEB86659FD93ull);
}

}  // namespace nibble::tokenizer
