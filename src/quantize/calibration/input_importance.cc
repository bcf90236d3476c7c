#include "quantize/calibration/input_importance.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/files.h"
#include "base/sha256.h"
#include "base/text.h"
#include "checkpoint/foreign.h"
#include "checkpoint/gguf_metadata.h"
#include "nibble/checkpoint.h"
#include "nibble/error.h"
#include "quantize/calibration/measured_sums.h"

namespace nibble {
namespace {

constexpr std::string_view kSums = ".in_sum2", kCounts = ".counts";
constexpr std::uint64_t kLargestBinary = 1 << 30;
constexpr std::int32_t kMostEntries = 1 << 20, kLongestName = 1 << 10;
// No layer's inputs are 10^8: a flipped bit of an exponent makes such numbers.
constexpr double kLargestMean = 1e16;
// So many neighbouring inputs that were always 0 are rarely a model's and often a hole in a file.
constexpr std::size_t kManyZeros = 32;
constexpr std::string_view kMakeAgain =
    "copy it again from where it was made, or make it again: nibble imatrix MODEL NAME.gguf";

// Little-endian numbers and what is between them, one behind the other.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}

  bool at_end() const { return bytes_.empty(); }
  // In 0 … most, or −1: the file is of another kind.
  std::int32_t number(std::int32_t most) {
    std::int32_t value = -1;
    if (bytes_.size() < sizeof(value)) return -1;
    std::memcpy(&value, bytes_.data(), sizeof(value));
    bytes_.remove_prefix(sizeof(value));
    return value > most ? -1 : value;
  }
  bool take(std::size_t count, std::string_view& part) {
    if (count > bytes_.size()) return false;
    part = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return true;
  }

 private:
  std::string_view bytes_;
};

std::vector<float> floats_of(std::string_view bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

std::size_t longest_run_of_zeros(const std::vector<float>& values) {
  std::size_t longest = 0, run = 0;
  for (const float value : values) {
    run = value == 0 ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return longest;
}

// Matrices that some files have as one.
std::string joined_name(const std::string& matrix) {
  for (const auto& [part, whole] : {std::pair{".attn_q.", ".attn_qkv."},
                                    {".attn_k.", ".attn_qkv."},
                                    {".attn_v.", ".attn_qkv."},
                                    {".ffn_gate.", ".ffn_up."}})
    if (const auto at = matrix.find(part); at != matrix.npos)
      return std::string(matrix).replace(at, std::strlen(part), whole);
  return matrix;
}

}  // namespace

InputImportance::InputImportance(const std::filesystem::path& file)
    : path_(file), hash_(sha256_of_file(file)) {
  bool gguf = false;
  with_context(path_.string(), [&] {
    std::ifstream in(path_, std::ios::binary);
    char magic[4] = {};
    gguf = in.read(magic, 4) && std::string_view(magic, 4) == "GGUF";
  });
  gguf ? read_gguf() : read_binary();
  if (means_.empty())
    throw Error(ErrorKind::kInvalidArgument,
                cat(path_.string(), ": holds no sums of squares of inputs"),
                "nibble imatrix makes such files, and llama-imatrix");
  if (!has_sums_) note_zeros();
}

bool InputImportance::is_in(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) return false;
  try {
    const MappedFile mapped(file);
    if (is_importance_matrix(mapped.bytes())) return true;
    const auto reader = open_checkpoint(file);
    const auto tensors = reader->tensors();
    return reader->gguf() != nullptr &&
           std::any_of(tensors.begin(), tensors.end(),
                       [](const TensorInfo& info) { return info.name.ends_with(kSums); });
  } catch (const Error&) {
    return false;
  }
}

void InputImportance::require_possible(const std::string& matrix, std::span<const float> sums,
                                       double count) const {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorKind::kCorruptFile, cat(path_.string(), ": ", matrix, what),
                std::string(kMakeAgain));
  };
  if (!std::isfinite(count) || count < 0)
    refuse(cat(" has a count of ", count, ", which no number of tokens can be"));
  double largest = 0;
  for (const float sum : sums) {
    if (!std::isfinite(sum) || sum < 0)
      refuse(cat(" holds ", sum, ", which no sum of squares can be"));
    largest = std::max(largest, static_cast<double>(sum));
  }
  if (has_sums_) return;
  if (count == 0 && largest > 0) refuse(" has sums of squares, and a count of 0 tokens");
  if (count > 0 && largest == 0) refuse(cat(" has nothing but sums of 0, and ", count, " tokens"));
  if (largest > kLargestMean * count)
    refuse(cat(" holds ", largest, " of ", count, " tokens: no inputs are so large"));
}

void InputImportance::put(const std::string& matrix, std::vector<float> sums,
                          const std::vector<float>& counts) {
  if (counts.empty() || sums.empty() || sums.size() % counts.size() != 0)
    throw Error(ErrorKind::kCorruptFile,
                cat(path_.string(), ": ", matrix, " has ", sums.size(), " sums and ", counts.size(),
                    " counts"),
                std::string(kMakeAgain));
  const std::size_t each = sums.size() / counts.size();
  bool reached = false;
  for (std::size_t part = 0; part < counts.size(); ++part) {
    const std::span<float> own(sums.data() + part * each, each);
    require_possible(matrix, own, counts[part]);
    if (counts[part] == 0) continue;
    for (float& sum : own)
      reached |= (sum = static_cast<float>(static_cast<double>(sum) / counts[part])) > 0;
  }
  if (!reached) sums.clear();  // what no token reached says nothing
  means_[matrix] = std::move(sums);
}

// Zeros in a row may be inputs that nothing ever reached: no reason to refuse the file.
void InputImportance::note_zeros() {
  std::size_t matrices = 0;
  std::string first;
  for (const auto& [matrix, means] : means_) {
    const std::size_t zeros = longest_run_of_zeros(means);
    if (zeros < kManyZeros || ++matrices > 1) continue;
    first = cat(matrix, " has ", zeros, " of its ", means.size(),
                " inputs in a row that were always 0");
  }
  if (matrices > 0)
    note_ = cat(
        path_.string(), ": ", first, matrices > 1 ? cat(", and ", matrices - 1, " more do so") : "",
        ": they never were in use, or the file is damaged, which has no sums that could tell");
}

void InputImportance::read_gguf() {
  const auto reader = open_checkpoint(path_);
  if (const Json passport =
          with_context(path_.string(), [&] { return measured_passport(*reader); });
      !passport.is_null()) {
    require_sums(path_, *reader, passport);
    has_sums_ = true;
  }
  const auto floats = [&](const std::string& name) {
    const TensorInfo* info = reader->find(name);
    if (info == nullptr || info->dtype != DType::kF32 || info->blocks != nullptr)
      throw Error(ErrorKind::kCorruptFile,
                  cat(path_.string(), ": ", name, info == nullptr ? " is missing" : " is not F32"),
                  std::string(kMakeAgain));
    const auto bytes = reader->bytes(*info);
    return floats_of({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  };
  // Whichever of the two is there, the other must be, too.
  for (const TensorInfo& info : reader->tensors())
    for (const std::string_view ending : {kSums, kCounts})
      if (info.name.ends_with(ending)) {
        const std::string matrix = info.name.substr(0, info.name.size() - ending.size());
        if (!means_.contains(matrix))
          put(matrix, floats(cat(matrix, kSums)), floats(cat(matrix, kCounts)));
      }
  const auto texts = reader->gguf()->texts("imatrix.datasets", 1 << 16);
  if (texts) description_ = join(*texts, ", ");
}

// int32 entries; of each: int32 length, name, int32 calls, int32 values, float32 values summed over
// the calls; then perhaps int32 chunks, int32 length, the text's name.
void InputImportance::read_binary() {
  const auto refuse = [&] {
    throw Error(ErrorKind::kInvalidArgument,
                cat(path_.string(), ": is no imatrix, neither a GGUF file nor an older one"),
                "nibble imatrix makes such files, and llama-imatrix");
  };
  const std::string text = read_file(path_, kLargestBinary);
  Bytes bytes(text);
  const std::int32_t entries = bytes.number(kMostEntries);
  if (entries < 1) refuse();
  for (std::int32_t entry = 0; entry < entries; ++entry) {
    std::string_view name, values;
    const std::int32_t length = bytes.number(kLongestName);
    if (length < 1 || !bytes.take(static_cast<std::size_t>(length), name)) refuse();
    const std::int32_t calls = bytes.number(INT32_MAX), count = bytes.number(INT32_MAX);
    if (calls < 0 || count < 1 ||
        !bytes.take(sizeof(float) * static_cast<std::size_t>(count), values))
      refuse();
    put(std::string(name), floats_of(values), {static_cast<float>(calls)});
  }
  std::string_view source;
  const bool more = !bytes.at_end() && bytes.number(INT32_MAX) >= 0;
  const std::int32_t length = more ? bytes.number(1 << 16) : -1;
  if (length > 0 && bytes.take(static_cast<std::size_t>(length), source)) description_ = source;
}

std::vector<float> InputImportance::of(const std::string& matrix, std::size_t columns) const {
  auto found = means_.find(matrix);
  if (found == means_.end()) found = means_.find(joined_name(matrix));
  if (found == means_.end() || found->second.empty()) return {};
  if (found->second.size() != columns)
    throw Error(ErrorKind::kInvalidArgument,
                cat(path_.string(), ": ", found->first, " has ", found->second.size(),
                    " inputs there and ", columns, " here: it is of another model"),
                "make one of this model: nibble imatrix MODEL NAME.gguf");
  return found->second;
}

}  // namespace nibble
