// Reads HQQ checkpoints (hqq.cc says what lies where).
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/text.h"
#include "checkpoint/layouts/hqq.h"
#include "checkpoint/layouts/module_tensors.h"
#include "checkpoint/layouts/opened_modules.h"
#include "nibble/error.h"
#include "tensor/half.h"

namespace nibble::layouts {
namespace {

constexpr std::int64_t kMostColumns = 1 << 28;

[[noreturn]] void corrupt(const std::string& module, const std::string& what) {
  throw Error(ErrorKind::kCorruptFile, cat("module \"", module, "\": ", what));
}

[[noreturn]] void unsupported(const std::string& module, const std::string& what) {
  throw Error(ErrorKind::kUnsupported, cat("module \"", module, "\": ", what),
              "quantize the original along axis 1 with 2, 3, 4, 5, 6 or 8 bits");
}

struct Parts {
  std::span<const std::byte> codes;
  std::vector<float> scales, zeros;
};

class HqqCodes final : public StoredCodes {
 public:
  HqqCodes(CodeShape shape, Parts parts)
      : StoredCodes(std::move(shape)),
        parts_(std::move(parts)),
        packing_(hqq_packing(this->shape().bits())),
        apart_((parts_.scales.size() + packing_.fields - 1) / packing_.fields) {}

  std::size_t bytes() const override {
    return parts_.codes.size() + 4 * (parts_.scales.size() + parts_.zeros.size());
  }

  void read_codes(std::size_t first, std::size_t block, std::size_t blocks,
                  std::uint32_t* out) const override {
    std::fill(out, out + 8 * blocks * kRowsTogether, 0u);
    const std::size_t begin = 32 * block, end = std::min(shape().columns, 32 * (block + blocks));
    for (std::size_t lane = 0; lane < kRowsTogether && first + lane < shape().rows; ++lane)
      for (std::size_t column = begin; column < end;) {
        const std::size_t group = column / shape().group_size;
        const std::size_t stop = std::min(end, (group + 1) * shape().group_size);
        const std::size_t row = (first + lane) * shape().groups() + group;
        for (; column < stop; ++column)
          out[(column - begin) / 4 * kRowsTogether + lane] |= code(row, column % shape().group_size)
                                                              << (8 * (column % 4));
      }
  }

  void read_scales(std::size_t first, float* scales, float* zeros) const override {
    const std::size_t groups = shape().groups();
    for (std::size_t g = 0; g < groups; ++g)
      for (std::size_t row = first; row < first + kRowsTogether; ++row) {
        const bool there = row < shape().rows;
        *scales++ = there ? parts_.scales[row * groups + g] : 0;
        *zeros++ = there ? parts_.zeros[row * groups + g] : 0;
      }
  }

 private:
  // Of a row of groups.
  std::uint32_t code(std::size_t row, std::size_t at) const {
    const auto width = static_cast<std::size_t>(shape().bits());
    std::uint32_t element = 0;
    std::memcpy(&element,
                parts_.codes.data() + (row % apart_ * shape().group_size + at) * packing_.bytes,
                packing_.bytes);
    const std::size_t behind = packing_.fields - 1 - row / apart_;
    return element >> (width * behind) & ((1u << width) - 1);
  }

  Parts parts_;
  HqqPacking packing_;
  std::size_t apart_;
};

// One module's tensors, each checked for its type and size.
class Reading {
 public:
  Reading(const CheckpointReader& reader, const std::string& module)
      : reader_(reader), module_(module) {}

  std::unique_ptr<StoredCodes> codes() const {
    const int width = static_cast<int>(number("nbits", 1, 8));
    if (width == 1 || width == 7) unsupported(module_, cat("codes of ", width, " bits"));
    if (number("axis", 0, 1) != 1) unsupported(module_, "its groups run along axis 0");
    for (const std::string_view flag : {"quant_scale", "quant_zero", "view_as_float"})
      if (truth(flag)) unsupported(module_, cat(flag, " is set"));
    const auto sizes = values<std::int64_t>("shape", DType::kI64, 2);
    if (sizes[0] < 1 || sizes[1] < 1 || sizes[0] > kMostColumns || sizes[1] > kMostColumns)
      corrupt(module_, cat("its shape is ", list_text(sizes)));
    const auto group = static_cast<std::size_t>(number("group_size", 1, kMostColumns));
    const CodeShape shape =
        code_shape(static_cast<std::size_t>(sizes[0]), static_cast<std::size_t>(sizes[1]),
                   {&grids::uniform(width), group});
    if (shape.columns % group != 0)
      unsupported(module_, cat("groups of ", group, " cross from row to row of ", shape.columns));
    const std::size_t rows = shape.rows * shape.groups();
    const HqqPacking packing = hqq_packing(width);
    const TensorInfo& codes = reader_.at(cat(module_, kHqqCodes));
    check_words(packing);
    if (codes.dtype != (packing.bytes == 4 ? DType::kI32 : DType::kU8))
      corrupt(module_, cat("W_q has type ", name(codes.dtype)));
    Parts parts;
    parts.codes =
        bytes(codes, (rows + packing.fields - 1) / packing.fields * group * packing.bytes);
    parts.scales = floats("scale", rows);
    parts.zeros = floats("zero", rows);
    if (width == 5 || width == 6) check_codes(parts.codes, width);
    return std::make_unique<HqqCodes>(shape, std::move(parts));
  }

 private:
  // What follows from the rest, and is told nevertheless.
  void check_words(const HqqPacking& packing) const {
    word("packing", {packing.name});
    word("unpack_view_dtype", {packing.bytes == 4 ? "torch.int32" : "torch.uint8"});
    word("compute_dtype", {"torch.float16", "torch.bfloat16", "torch.float32"});
    for (const std::string_view flag : kHqqFlags) truth(flag);
  }

  // A text that is there must be one of these.
  void word(std::string_view suffix, std::initializer_list<std::string_view> known) const {
    const TensorInfo* info = reader_.find(cat(module_, ".", suffix));
    if (info == nullptr) return;
    const auto found = reader_.bytes(*info);
    const std::string_view text(reinterpret_cast<const char*>(found.data()), found.size());
    if (info->dtype == DType::kU8 && std::find(known.begin(), known.end(), text) != known.end())
      return;
    corrupt(module_, cat("its ", suffix, " is none of ",
                         join(std::vector<std::string>(known.begin(), known.end()), ", ")));
  }

  std::span<const std::byte> bytes(const TensorInfo& info, std::size_t size) const {
    const auto found = reader_.bytes(info);
    if (found.size() != size)
      corrupt(module_, cat(info.name, " has ", found.size(), " bytes; expected ", size));
    return found;
  }

  template <typename Value>
  std::vector<Value> values(std::string_view suffix, DType type, std::size_t count) const {
    const TensorInfo& info = reader_.at(cat(module_, ".", suffix));
    if (info.dtype != type)
      corrupt(module_, cat(info.name, " has type ", name(info.dtype), "; expected ", name(type)));
    std::vector<Value> result(count);
    std::memcpy(result.data(), bytes(info, count * sizeof(Value)).data(), count * sizeof(Value));
    return result;
  }

  std::int64_t number(std::string_view suffix, std::int64_t low, std::int64_t high) const {
    const auto value = values<std::int32_t>(suffix, DType::kI32, 1).front();
    if (value < low || value > high)
      corrupt(module_, cat("its ", suffix, " is ", value, "; expected ", low, " to ", high));
    return value;
  }

  bool truth(std::string_view suffix) const {
    return reader_.find(cat(module_, ".", suffix)) != nullptr &&
           values<std::uint8_t>(suffix, DType::kU8, 1).front() != 0;
  }

  std::vector<float> floats(std::string_view suffix, std::size_t count) const {
    const TensorInfo& info = reader_.at(cat(module_, ".", suffix));
    std::vector<float> result(count);
    if (info.dtype == DType::kF32) {
      result = values<float>(suffix, DType::kF32, count);
    } else {
      const bool half = info.dtype == DType::kF16;
      const auto bits = values<std::uint16_t>(suffix, half ? DType::kF16 : DType::kBF16, count);
      std::transform(bits.begin(), bits.end(), result.begin(),
                     half ? half_to_float : bfloat16_to_float);
    }
    if (!std::all_of(result.begin(), result.end(), [](float v) { return std::isfinite(v); }))
      corrupt(module_, cat(info.name, " holds a non-finite value"));
    return result;
  }

  // Bytes have room for more.
  void check_codes(std::span<const std::byte> codes, int width) const {
    for (const std::byte code : codes)
      if (std::to_integer<int>(code) >> width != 0)
        corrupt(module_,
                cat("a code is ", std::to_integer<int>(code), ", outside of ", width, " bits"));
  }

  const CheckpointReader& reader_;
  const std::string& module_;
};

class Modules final : public StoredModules {
 public:
  explicit Modules(const CheckpointReader& reader) : reader_(reader) {}
  bool holds(const std::string& module) const override {
    return reader_.find(cat(module, kHqqCodes)) != nullptr;
  }
  std::unique_ptr<StoredCodes> open(const std::string& module) const override {
    return Reading(reader_, module).codes();
  }

 private:
  const CheckpointReader& reader_;
};

}  // namespace

std::unique_ptr<StoredModules> open_hqq(const CheckpointReader& reader, const Json&) {
  return std::make_unique<Modules>(reader);
}

std::vector<Finding> check_hqq(const CheckpointReader& reader, const Json&) {
  OpenedModules opened = open_modules(
      reader, [](const TensorInfo& tensor) { return module_of_suffix(tensor, kHqqCodes); },
      "hqq.tensors", [&](const std::string& module) { return Reading(reader, module).codes(); });
  const auto refusals = hqq_consumers(opened.modules, {});
  opened.findings.insert(opened.findings.end(), refusals.begin(), refusals.end());
  return std::move(opened.findings);
}

}  // namespace nibble::layouts
