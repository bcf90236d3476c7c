// Reads AWQ checkpoints (awq.cc says what lies where): codes are taken from the mapped words 16
// outputs, two words, at a time.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/text.h"
#include "checkpoint/layouts/awq.h"
#include "checkpoint/layouts/module_tensors.h"
#include "checkpoint/layouts/opened_modules.h"
#include "nibble/error.h"
#include "tensor/half.h"

namespace nibble::layouts {
namespace {

[[noreturn]] void corrupt(const std::string& module, const std::string& what) {
  throw Error(ErrorKind::kCorruptFile, cat("module \"", module, "\": ", what));
}

template <typename Value>
Value value_at(std::span<const std::byte> from, std::size_t index) {
  Value value;
  std::memcpy(&value, from.data() + index * sizeof(Value), sizeof(Value));
  return value;
}

struct Parts {
  std::span<const std::byte> codes, zeros, scales;
  DType scale_type = DType::kF16;
};

class AwqCodes final : public StoredCodes {
 public:
  AwqCodes(CodeShape shape, const Parts& parts) : StoredCodes(std::move(shape)), parts_(parts) {}

  std::size_t bytes() const override {
    return parts_.codes.size() + parts_.zeros.size() + parts_.scales.size();
  }

  void read_codes(std::size_t first, std::size_t block, std::size_t blocks,
                  std::uint32_t* out) const override {
    const std::size_t columns = shape().columns, row_words = shape().rows / 8;
    const std::size_t words = std::min<std::size_t>(2, row_words - first / 8);
    for (std::size_t step = 8 * block; step < 8 * (block + blocks); ++step, out += kRowsTogether) {
      std::fill(out, out + kRowsTogether, 0u);
      for (std::size_t k = 0; k < 4 && 4 * step + k < columns; ++k)
        for (std::size_t w = 0; w < words; ++w) {
          const auto word =
              value_at<std::uint32_t>(parts_.codes, (4 * step + k) * row_words + first / 8 + w);
          for (std::size_t lane = 0; lane < 8; ++lane)
            out[8 * w + lane] |= (word >> (4 * kAwqField[lane]) & 15) << (8 * k);
        }
    }
  }

  void read_scales(std::size_t first, float* scales, float* zeros) const override {
    const std::size_t rows = shape().rows;
    for (std::size_t g = 0; g < shape().groups(); ++g)
      for (std::size_t row = first; row < first + kRowsTogether; ++row) {
        *scales++ = row < rows ? scale(g * rows + row) : 0;
        *zeros++ = row < rows ? static_cast<float>(zero(g, row)) : 0;
      }
  }

 private:
  float scale(std::size_t at) const {
    if (parts_.scale_type == DType::kF32) return value_at<float>(parts_.scales, at);
    const auto bits = value_at<std::uint16_t>(parts_.scales, at);
    return parts_.scale_type == DType::kF16 ? half_to_float(bits) : bfloat16_to_float(bits);
  }
  std::uint32_t zero(std::size_t group, std::size_t row) const {
    const auto word = value_at<std::uint32_t>(parts_.zeros, group * (shape().rows / 8) + row / 8);
    return word >> (4 * kAwqField[row % 8]) & 15;
  }

  Parts parts_;
};

// One module's tensors, each checked for its type and size.
class Reading {
 public:
  Reading(const CheckpointReader& reader, const std::string& module)
      : reader_(reader), module_(module) {}

  std::unique_ptr<AwqCodes> codes(const AwqConfig& config) const {
    const TensorInfo& codes = reader_.at(cat(module_, kAwqCodes));
    if (codes.shape.size() != 2 || codes.shape[0] < 1 || codes.shape[1] < 1)
      corrupt(module_, "qweight is not a matrix");
    const auto columns = static_cast<std::size_t>(codes.shape[0]);
    const auto words = static_cast<std::size_t>(codes.shape[1]);
    CodeShape shape = code_shape(8 * words, columns, {&grids::uniform(4), config.group_size});
    Parts parts;
    parts.codes = part(codes, {DType::kI32}, columns, words);
    parts.zeros = part(reader_.at(module_ + ".qzeros"), {DType::kI32}, shape.groups(), words);
    const TensorInfo& scales = reader_.at(module_ + ".scales");
    parts.scale_type = scales.dtype;
    parts.scales =
        part(scales, {DType::kF16, DType::kBF16, DType::kF32}, shape.groups(), shape.rows);
    auto result = std::make_unique<AwqCodes>(std::move(shape), parts);
    check_scales(*result);
    return result;
  }

 private:
  std::span<const std::byte> part(const TensorInfo& info, std::initializer_list<DType> types,
                                  std::size_t rows, std::size_t columns) const {
    if (std::find(types.begin(), types.end(), info.dtype) == types.end())
      corrupt(module_,
              cat(info.name, " has type ", name(info.dtype), "; expected ", name(*types.begin())));
    if (info.shape != std::vector<std::int64_t>{static_cast<std::int64_t>(rows),
                                                static_cast<std::int64_t>(columns)})
      corrupt(module_, cat(info.name, " has shape ", list_text(info.shape), "; expected [", rows,
                           ", ", columns, "]"));
    const auto found = reader_.bytes(info);
    const std::size_t size = rows * columns * static_cast<std::size_t>(bits(info.dtype)) / 8;
    if (found.size() != size)
      corrupt(module_, cat(info.name, " has ", found.size(), " bytes; expected ", size));
    return found;
  }

  void check_scales(const AwqCodes& codes) const {
    const std::size_t groups = codes.shape().groups();
    std::vector<float> scales(groups * kRowsTogether), zeros(scales.size());
    for (std::size_t first = 0; first < codes.shape().rows; first += kRowsTogether) {
      codes.read_scales(first, scales.data(), zeros.data());
      for (const float scale : scales)
        if (!std::isfinite(scale)) corrupt(module_, "scales holds a non-finite value");
    }
  }

  const CheckpointReader& reader_;
  const std::string& module_;
};

class AwqModules final : public StoredModules {
 public:
  AwqModules(const CheckpointReader& reader, const Json& config)
      : reader_(reader), config_(read_awq_config(config)) {}
  bool holds(const std::string& module) const override {
    return reader_.find(cat(module, kAwqCodes)) != nullptr;
  }
  std::unique_ptr<StoredCodes> open(const std::string& module) const override {
    return Reading(reader_, module).codes(config_);
  }

 private:
  const CheckpointReader& reader_;
  AwqConfig config_;
};

}  // namespace

AwqConfig read_awq_config(const Json& config) {
  // The names of llm-awq and of AutoAWQ.
  const auto either = [&](const char* newer, const char* older, std::int64_t otherwise,
                          std::int64_t low, std::int64_t high) {
    return json_int(config, newer, json_int(config, older, otherwise, low, high), low, high);
  };
  std::string version = json_string(config, "version", "gemm");
  std::transform(version.begin(), version.end(), version.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (version != "gemm")
    throw Error(ErrorKind::kUnsupported,
                cat("\"version\" is \"", version.substr(0, 40), "\"; supported: gemm"),
                "pack it again in the form gemm, which all readers take");
  if (const std::int64_t width = either("bits", "w_bit", 4, 1, 16); width != 4)
    throw Error(ErrorKind::kUnsupported, cat("\"bits\" is ", width, "; supported: 4"));
  const std::int64_t group = either("group_size", "q_group_size", 128, -1, 1 << 24);
  if (group == 0)
    throw Error(ErrorKind::kCorruptFile, "\"group_size\" is 0; expected -1 or a positive number");
  AwqConfig result;
  result.group_size = group < 0 ? 0 : static_cast<std::size_t>(group);
  result.symmetric = !json_bool(config, "zero_point", true);
  return result;
}

std::unique_ptr<StoredModules> open_awq(const CheckpointReader& reader, const Json& config) {
  return std::make_unique<AwqModules>(reader, config);
}

std::vector<Finding> check_awq(const CheckpointReader& reader, const Json& json) {
  const AwqConfig config = read_awq_config(json);
  std::vector<Finding> moved;
  OpenedModules opened = open_modules(
      reader, [](const TensorInfo& tensor) { return module_of_suffix(tensor, kAwqCodes); },
      "awq.tensors",
      [&](const std::string& module) {
        auto stored = Reading(reader, module).codes(config);
        const Codes codes = codes_of(*stored);
        if (config.symmetric && std::any_of(codes.zeros.begin(), codes.zeros.end(),
                                            [](float zero) { return zero != 8; }))
          moved.push_back(
              {true, "awq.zero_point",
               cat("module \"", module, "\": \"zero_point\" is false, but a zero differs from 8")});
        return stored;
      });
  const auto refusals = awq_consumers(opened.modules, {});
  auto findings = findings_of(std::move(opened), "awq.modules",
                              "the config says AWQ, but no tensor is called *.qweight");
  findings.insert(findings.end(), moved.begin(), moved.end());
  findings.insert(findings.end(), refusals.begin(), refusals.end());
  return findings;
}

}  // namespace nibble::layouts
