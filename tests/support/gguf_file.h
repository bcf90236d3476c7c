// Writes GGUF files byte by byte, valid or as wrong as a test wants them.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nibble::test {

template <typename Number>
std::string packed(Number value) {
  std::string bytes(sizeof(value), '\0');
  std::memcpy(bytes.data(), &value, sizeof(value));
  return bytes;
}

inline std::string gguf_text(std::string_view text) {
  return packed<std::uint64_t>(text.size()) + std::string(text);
}

class GgufFile {
 public:
  std::uint32_t version = 3;
  std::uint64_t alignment = 32;

  // A pair with the value's bytes as they are.
  GgufFile& pair(std::string_view key, std::uint32_t type, const std::string& value) {
    pairs_ += gguf_text(key) + packed(type) + value;
    ++pair_count_;
    return *this;
  }
  GgufFile& u32(std::string_view key, std::uint32_t value) { return pair(key, 4, packed(value)); }
  GgufFile& f32(std::string_view key, float value) { return pair(key, 6, packed(value)); }
  GgufFile& flag(std::string_view key, bool value) {
    return pair(key, 7, packed<std::uint8_t>(value));
  }
  GgufFile& text(std::string_view key, std::string_view value) {
    return pair(key, 8, gguf_text(value));
  }
  GgufFile& texts(std::string_view key, const std::vector<std::string>& values) {
    std::string bytes = packed<std::uint32_t>(8) + packed<std::uint64_t>(values.size());
    for (const std::string& value : values) bytes += gguf_text(value);
    return pair(key, 9, bytes);
  }
  template <typename Number>
  GgufFile& numbers(std::string_view key, std::uint32_t type, const std::vector<Number>& values) {
    std::string bytes = packed(type) + packed<std::uint64_t>(values.size());
    for (const Number value : values) bytes += packed(value);
    return pair(key, 9, bytes);
  }

  // Sizes with the contiguous one first. The offset is where the data so far ends.
  GgufFile& tensor(std::string_view name, const std::vector<std::int64_t>& sizes,
                   std::uint32_t type, std::string_view data) {
    info(name, sizes, type, data_.size());
    data_ += data;
    while (data_.size() % alignment != 0) data_ += '\0';
    return *this;
  }
  // An info alone.
  GgufFile& info(std::string_view name, const std::vector<std::int64_t>& sizes, std::uint32_t type,
                 std::uint64_t offset) {
    infos_ += gguf_text(name) + packed(static_cast<std::uint32_t>(sizes.size()));
    for (const std::int64_t size : sizes) infos_ += packed(size);
    infos_ += packed(type) + packed(offset);
    ++info_count_;
    return *this;
  }

  // Where the first pair begins, for those who damage numbers.
  static constexpr std::size_t kFirstPair = 24;

  std::string bytes() const {
    std::string file = "GGUF" + packed(version) + packed(info_count_) + packed(pair_count_);
    file += pairs_ + infos_;
    while (file.size() % alignment != 0) file += '\0';
    return file + data_;
  }

 private:
  std::string pairs_, infos_, data_;
  std::uint64_t pair_count_ = 0, info_count_ = 0;
};

// One of everything a header can hold.
inline GgufFile sample_gguf() {
  GgufFile file;
  file.text("general.architecture", "sample").u32("sample.block_count", 2);
  file.f32("sample.epsilon", 1e-5f).flag("tokenizer.ggml.add_bos_token", true);
  file.pair("sample.wide", 10, packed<std::uint64_t>(7)).pair("sample.low", 1, "\xFF");
  file.texts("tokenizer.ggml.tokens", {"<s>", "a", "b", "ab"}).text("tokenizer.ggml.model", "gpt2");
  file.numbers<float>("tokenizer.ggml.scores", 6, {0, -1, -2, -3});
  file.numbers<std::int32_t>("tokenizer.ggml.token_type", 5, {3, 1, 1, 1});
  file.texts("tokenizer.ggml.merges", {"a b"}).u32("tokenizer.ggml.bos_token_id", 0);
  file.tensor("norm.weight", {4}, 0, std::string(16, 'n'));
  file.tensor("blocks.weight", {64, 3}, 8, std::string(34 * 6, 'q'));
  file.tensor("halves.weight", {3, 2, 2}, 1, std::string(24, 'h'));
  return file;
}

}  // namespace nibble::test
