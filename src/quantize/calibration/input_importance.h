// How much each input of each matrix matters, out of a file that was made elsewhere: an imatrix, in
// llama.cpp's GGUF form (imatrix.h), which statistics of inputs have inside as well, or in its
// older binary one.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace nibble {

class InputImportance {
 public:
  // Throws what reading a file throws, kInvalidArgument for a file without such sums, kCorruptFile
  // for one that is not what nibble wrote, and where sums and counts are none that inputs can have.
  explicit InputImportance(const std::filesystem::path& file);

  // E[x²] of the inputs of a matrix of this name, GGUF's ("blk.0.attn_q.weight"), or of one that it
  // is a part of there (attn_qkv): [columns], or empty where nothing was measured. Throws
  // kInvalidArgument where they are not of so many columns.
  std::vector<float> of(const std::string& matrix, std::size_t columns) const;

  const std::string& description() const { return description_; }  // the texts it was made of
  const std::string& hash() const { return hash_; }                // SHA-256 of the file
  bool has_sums() const { return has_sums_; }  // of its tensors; another program's has none
  std::size_t entries() const { return means_.size(); }
  // What is odd about a file without sums, and may be damage; empty: nothing.
  const std::string& note() const { return note_; }

  // Is this file an imatrix, or does it hold one? False of what cannot be opened.
  static bool is_in(const std::filesystem::path& file);

 private:
  void read_gguf();
  void read_binary();
  // `counts`: one, or one for each of as many equal parts of the sums (experts).
  void put(const std::string& matrix, std::vector<float> sums, const std::vector<float>& counts);
  // What the sums of one count must be where nothing else vouches for them.
  void require_possible(const std::string& matrix, std::span<const float> sums, double count) const;
  void note_zeros();

  std::filesystem::path path_;
  std::map<std::string, std::vector<float>> means_;
  std::string description_, hash_, note_;
  bool has_sums_ = false;
};

}  // namespace nibble
