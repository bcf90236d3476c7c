// AWQ checkpoints in the form "gemm" as AutoAWQ writes them and vLLM, transformers and GPTQModel
// read them. For a layer "m" with weight [out, in] and G groups of columns, 4 bits:
//
//   m.qweight  I32 [in, out/8]  codes, eight neighbouring outputs to a word: 0, 2, 4, 6, 1, 3, 5, 7
//                               from the lowest bits on
//   m.qzeros   I32 [G, out/8]   zeros, in the same order
//   m.scales   F16 [G, out]
//   weight[o, i] = scales[g, o] · (code − zero[g, o])
//
// Here they are written; awq_codes.cc reads them.
#include "checkpoint/layouts/awq.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "checkpoint/layouts/module_tensors.h"
#include "checkpoint/layouts/reader_warnings.h"
#include "nibble/error.h"
#include "tensor/half.h"

namespace nibble::layouts {
namespace {

constexpr std::array<std::string_view, 1> kDialects = {"gemm"};
constexpr std::array<std::size_t, 3> kUsualGroups = {128, 64, 32};

std::span<const std::size_t> usual_groups(const Grid&, std::string_view) { return kUsualGroups; }

std::string refusal(const CodeShape& shape) {
  if (shape.grid->name != "int4")
    return cat("AWQ files hold codes of int4, not ", shape.grid->name);
  if (shape.rows % 8 != 0)
    return cat("AWQ files pack 8 outputs together; this one has ", shape.rows);
  if (shape.columns % shape.group_size != 0)
    return cat("groups of ", shape.group_size, " do not divide rows of ", shape.columns);
  return {};
}

Storable storable(const CodeShape&, const LayoutSettings&) { return {}; }

// A float16 scale and a zero of 4 bits beside each group.
double bits_per_weight(const CodeShape& shape, const LayoutSettings&) {
  return 4 + 20.0 / static_cast<double>(shape.group_size);
}

std::optional<std::string> module_of(const TensorInfo& tensor) {
  return module_of_suffix(tensor, kAwqCodes);
}

std::vector<TensorInfo> plan(const std::string& module, const CodeShape& shape,
                             const LayoutSettings& settings) {
  const std::size_t base = settings.base.group_size;
  if (shape.group_size != (base == 0 ? shape.columns : base))
    throw Error(ErrorKind::kInvalidArgument,
                cat(module, ": groups of ", shape.group_size,
                    " cannot be told to readers: AWQ files have one size for all modules, ",
                    base == 0 ? std::string("whole rows") : std::to_string(base)),
                "leave it out of --override, or write --layout gptq or compressed-tensors");
  const auto outputs = static_cast<std::int64_t>(shape.rows);
  const auto inputs = static_cast<std::int64_t>(shape.columns);
  const auto groups = static_cast<std::int64_t>(shape.groups());
  return {
      {cat(module, kAwqCodes), DType::kI32, {inputs, outputs / 8}, shape.columns * shape.rows / 2},
      {module + ".qzeros", DType::kI32, {groups, outputs / 8}, shape.groups() * shape.rows / 2},
      {module + ".scales", DType::kF16, {groups, outputs}, shape.groups() * shape.rows * 2}};
}

// Lines of fields, one for each output. [lines, rows / 8]
template <typename Field>
std::vector<std::byte> packed(std::size_t lines, std::size_t rows, const Field& field) {
  std::vector<std::uint32_t> words(lines * rows / 8);
  for (std::size_t line = 0; line < lines; ++line)
    for (std::size_t o = 0; o < rows; ++o)
      words[line * rows / 8 + o / 8] |= std::uint32_t{field(line, o)} << (4 * kAwqField[o % 8]);
  return bytes_of(words);
}

std::vector<NamedBytes> write(const std::string& module, const Codes& codes,
                              const LayoutSettings& settings) {
  const std::size_t groups = codes.groups(), rows = codes.rows;
  for (const float zero : codes.zeros)
    if (!(zero >= 0 && zero <= 15) || zero != static_cast<float>(static_cast<int>(zero)) ||
        (settings.symmetric && zero != 8))
      throw Error(ErrorKind::kInvalidArgument,
                  cat("module \"", module, "\": zero ", zero, " cannot be stored: zeros of ",
                      settings.symmetric ? "symmetric AWQ files are 8" : "AWQ files are 0 to 15"));
  std::vector<Half> scales(groups * rows);
  for (std::size_t g = 0; g < groups; ++g)
    for (std::size_t o = 0; o < rows; ++o)
      scales[g * rows + o] = float_to_half(codes.scales[o * groups + g]);
  auto infos = plan(module, codes, settings);
  std::vector<NamedBytes> tensors;
  tensors.push_back(
      {std::move(infos[0]), packed(codes.columns, rows, [&](std::size_t column, std::size_t o) {
         return codes.codes[o * codes.columns + column];
       })});
  tensors.push_back({std::move(infos[1]), packed(groups, rows, [&](std::size_t g, std::size_t o) {
                       return static_cast<std::uint8_t>(codes.zeros[o * groups + g]);
                     })});
  tensors.push_back({std::move(infos[2]), bytes_of(scales)});
  return tensors;
}

bool claims(const Json& config) { return json_string(config, "quant_method", "") == "awq"; }

Json write_config(const LayoutSettings& settings) {
  Json skipped = nullptr;
  // With a list some readers no longer leave the head alone by themselves.
  if (!settings.skipped.empty()) {
    skipped = settings.skipped;
    skipped.push_back("lm_head");
  }
  const std::size_t group = settings.base.group_size;
  return {{"quant_method", "awq"},
          {"version", "gemm"},
          {"bits", 4},
          {"group_size", group == 0 ? Json(-1) : Json(group)},
          {"zero_point", !settings.symmetric},
          {"modules_to_not_convert", std::move(skipped)}};
}

std::vector<std::pair<std::string, std::string>> files(const LayoutSettings&) { return {}; }

constexpr TestedReader kReaders[] = {
    {.program = "vLLM 0.32.0 on a CPU",
     .takes = "4 bits, asymmetric and symmetric",
     .how = "perplexity in bfloat16",
     .date = "2026-11-28"},
    {.program = "transformers 5.24.0, GPTQModel 7.7.0",
     .takes = "4 bits, asymmetric and symmetric",
     .how = "unpacked weights and perplexity in float32",
     .date = "2026-11-28"},
};

}  // namespace

// Of Marlin, read in vLLM's source.
std::vector<Finding> awq_consumers(std::span<const ShapedModule> modules, const LayoutSettings&) {
  ReaderWarnings warnings;
  for (const ShapedModule& module : modules) {
    const std::size_t group = module.settings.group_size;
    if (group != 0 && group != 32 && group != 64 && group != 128)
      warnings.add(
          "vllm.marlin.group_size",
          cat("vLLM's Marlin kernels need groups of 32, 64, 128 or whole rows, not ", group));
    if (module.rows % 64 != 0 || module.columns % 128 != 0)
      warnings.add("vllm.marlin.shape",
                   cat("vLLM's Marlin kernels need outputs divisible by 64 and inputs by 128; ",
                       module.name, " is ", module.rows, " x ", module.columns));
  }
  return warnings.findings(modules.size());
}

extern const Layout awq{
    .name = "awq",
    .summary = "AWQ, the form gemm: vLLM, transformers with GPTQModel",
    .readers = kReaders,
    .dialects = kDialects,
    .claims = claims,
    .open = open_awq,
    .side_config = "quant_config.json",
    .module_of = module_of,
    .check = check_awq,
    .usual_groups = usual_groups,
    .refusal = refusal,
    .storable = storable,
    .bits_per_weight = bits_per_weight,
    .plan = plan,
    .write = write,
    .config = write_config,
    .files = files,
    .consumers = awq_consumers,
};

}  // namespace nibble::layouts
