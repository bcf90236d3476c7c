#include "quantize/calibration/input_importance.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string_view>

#include "base/files.h"
#include "base/sha256.h"
#include "base/text.h"
#include "checkpoint/gguf_metadata.h"
#include "nibble/checkpoint.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::string_view kSums = ".in_sum2", kCounts = ".counts";
constexpr std::uint64_t kLargestBinary = 1 << 30;
constexpr std::int32_t kMostEntries = 1 << 20, kLongestName = 1 << 10;

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
}

void InputImportance::put(const std::string& matrix, std::vector<float> sums, double count) {
  for (float& sum : sums) {
    if (!std::isfinite(sum) || sum < 0)
      throw Error(ErrorKind::kCorruptFile, cat(path_.string(), ": ", matrix, " holds ", sum,
                                               ", which no sum of squares can be"));
    sum = static_cast<float>(static_cast<double>(sum) / count);
  }
  // What no token reached says nothing.
  if (!(count > 0) || std::all_of(sums.begin(), sums.end(), [](float sum) { return sum == 0; }))
    sums.clear();
  means_[matrix] = std::move(sums);
}

void InputImportance::read_gguf() {
  const auto reader = open_checkpoint(path_);
  for (const TensorInfo& info : reader->tensors()) {
    if (!info.name.ends_with(kSums) || info.dtype != DType::kF32 || info.blocks != nullptr)
      continue;
    const std::string matrix = info.name.substr(0, info.name.size() - kSums.size());
    const TensorInfo* counts = reader->find(cat(matrix, kCounts));
    const auto text = [&](const TensorInfo& of) {
      const auto bytes = reader->bytes(of);
      return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    };
    const bool usable = counts != nullptr && counts->dtype == DType::kF32 && counts->bytes >= 4;
    put(matrix, floats_of(text(info)), usable ? floats_of(text(*counts)).front() : 0);
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
    put(std::string(name), floats_of(values), calls);
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
