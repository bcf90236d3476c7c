// How much each input of each matrix matters, out of a file that was made elsewhere: an imatrix, in
// llama.cpp's GGUF form (imatrix.h), which statistics of inputs have inside as well, or in its
// older binary one.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace nibble {

class InputImportance {
 public:
  // Throws what reading a file throws, kInvalidArgument for a file without such sums, kCorruptFile
  // for sums below 0 or not finite.
  explicit InputImportance(const std::filesystem::path& file);

  // E[x²] of the inputs of a matrix of this name, GGUF's ("blk.0.attn_q.weight"), or of one that it
  // is a part of there (attn_qkv): [columns], or empty where nothing was measured. Throws
  // kInvalidArgument where they are not of so many columns.
  std::vector<float> of(const std::string& matrix, std::size_t columns) const;

  const std::string& description() const { return description_; }  // the texts it was made of
  const std::string& hash() const { return hash_; }                // SHA-256 of the file

 private:
  void read_gguf();
  void read_binary();
  void put(const std::string& matrix, std::vector<float> sums, double count);

  std::filesystem::path path_;
  std::map<std::string, std::vector<float>> means_;
  std::string description_, hash_;
};

}  // namespace nibble
