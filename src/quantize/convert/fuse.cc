#include "quantize/convert/fuse.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "base/parallel.h"
#include "base/text.h"
#include "checkpoint/plain_folder.h"
#include "kernels/kernels.h"
#include "model/adapter/adapter.h"
#include "nibble/error.h"
#include "quantize/convert/carried_parts.h"
#include "quantize/passport.h"

namespace nibble {
namespace {

constexpr std::uint64_t kPassportBytes = 8192;
constexpr std::size_t kRows = 64;
constexpr float kLargestHalf = 65504;

class Fusing {
 public:
  Fusing(const std::filesystem::path& model, const std::filesystem::path& adapter,
         const std::filesystem::path& output, const FuseOptions& options,
         const ProgressSink& progress, const LogSink& log)
      : source_(model, adapter),
        output_(output),
        options_(options),
        progress_(progress),
        log_(log),
        carried_(source_, true, log) {}

  FuseResult run() {
    for (const std::string& note : source_.notes())
      if (log_) log_(note);
    type_ = weight_type();
    find_matrices();
    const auto tensors = plan();
    OutputModel model = carried_.output(tensors, kPassportBytes, log_);
    Json config = *model.config;
    config.erase("quantization_config");
    if (result_.untied) config["tie_word_embeddings"] = false;
    model.config = &config;
    model.inputs.push_back(source_.adapter()->folder);
    const auto writer = create_plain_folder(
        output_, model, {.replace = options_.replace, .max_shard_bytes = options_.max_shard_bytes});
    std::size_t done = 0;
    for (const auto& [name, open] : matrices_) {
      throw_if_stopped();
      if (progress_)
        progress_(
            {"Fusing", name, static_cast<double>(done++), static_cast<double>(matrices_.size())});
      writer->add(name + ".weight", rounded(*open(), name));
    }
    for (const TensorInfo& info : kept_) {
      throw_if_stopped();
      writer->add(carried_.planned(info)->name, carried_.bytes(info));
    }
    if (progress_) progress_({"Fusing", "", 1, 1});
    writer->finish(passport());
    return result_;
  }

 private:
  using Open = std::function<std::unique_ptr<Linear>()>;

  // That of the model's norms where it has 16 bits, else bfloat16.
  DType weight_type() const {
    const DType type = source_.norm_tensor(0, Norm::kAttention).dtype;
    const DType embedding = plain_type(source_.names().embedding() + ".weight").value_or(type);
    return embedding == DType::kF16 ? DType::kF16 : DType::kBF16;
  }

  // Of a matrix that lies in the checkpoint as floats.
  std::optional<DType> plain_type(const std::string& tensor) const {
    const TensorInfo* info = source_.checkpoint().find(tensor);
    if (info == nullptr || info->blocks != nullptr) return std::nullopt;
    if (info->dtype != DType::kF32 && info->dtype != DType::kF16 && info->dtype != DType::kBF16)
      return std::nullopt;
    return info->dtype;
  }

  void add(const std::string& module, Open open) {
    const bool adapted = source_.adapter()->of(module) != nullptr;
    const bool packed = !plain_type(module + ".weight").has_value();
    if (!adapted && !packed) return;
    result_.fused += adapted ? 1 : 0;
    result_.unpacked += packed ? 1 : 0;
    matrices_[module] = std::move(open);
  }

  void find_matrices() {
    const TensorNames& names = source_.names();
    const HyperParams& hyper = source_.hyper();
    for (std::size_t layer = 0; layer < hyper.layers; ++layer)
      for (std::size_t role = 0; role < kRoles; ++role)
        add(names.module(layer, static_cast<Role>(role)), [this, layer, role] {
          Block block = source_.block(layer);
          return std::move(block.linears[role]);
        });
    const Adapter& adapter = *source_.adapter();
    result_.untied = hyper.tied_head && (adapter.of(names.embedding()) != nullptr ||
                                         adapter.of(names.head()) != nullptr);
    const auto embedding = [this] { return source_.embedding(); };
    const auto head = [this] { return source_.head(); };
    if (result_.untied) {
      for (const std::string& module : {names.embedding(), names.head()})
        result_.fused += adapter.of(module) != nullptr ? 1 : 0;
      matrices_[names.embedding()] = embedding;
      matrices_[names.head()] = head;
      return;
    }
    add(names.embedding(), embedding);
    if (!hyper.tied_head) add(names.head(), head);
  }

  bool replaced(const std::string& tensor) const {
    if (tensor.ends_with(".bias")) return false;
    return std::any_of(matrices_.begin(), matrices_.end(), [&](const auto& matrix) {
      return tensor.size() > matrix.first.size() && tensor.starts_with(matrix.first) &&
             tensor[matrix.first.size()] == '.';
    });
  }

  std::vector<TensorInfo> plan() {
    std::vector<TensorInfo> tensors;
    for (const auto& [name, open] : matrices_) {
      const auto matrix = open();
      TensorInfo info;
      info.name = name + ".weight";
      info.dtype = type_;
      info.shape = {static_cast<std::int64_t>(matrix->outputs()),
                    static_cast<std::int64_t>(matrix->inputs())};
      info.bytes = std::uint64_t{2} * matrix->outputs() * matrix->inputs();
      tensors.push_back(std::move(info));
    }
    for (const TensorInfo& info : source_.checkpoint().tensors()) {
      if (replaced(info.name)) continue;
      auto planned = carried_.planned(info);
      if (!planned) continue;
      kept_.push_back(info);
      tensors.push_back(std::move(*planned));
    }
    for (const TensorInfo& info : tensors) result_.bytes += info.bytes;
    return tensors;
  }

  std::vector<std::byte> rounded(const Linear& matrix, const std::string& name) const {
    const std::size_t columns = matrix.inputs();
    std::vector<std::byte> bytes(2 * matrix.outputs() * columns);
    auto* const out = reinterpret_cast<std::uint16_t*>(bytes.data());
    parallel_ranges(matrix.outputs(), kRows, [&](std::size_t begin, std::size_t end) {
      Tensor rows(end - begin, columns);
      matrix.decode(begin, rows.view());
      const float largest = type_ == DType::kF16 ? kLargestHalf : 3e38f;
      for (std::size_t i = 0; i < rows.size(); ++i)
        if (!(std::fabs(rows.data()[i]) <= largest))
          throw Error(ErrorKind::kNumeric,
                      cat(name, ": a weight becomes ", rows.data()[i], ", which ",
                          nibble::name(type_), " cannot hold"),
                      "the adapter does not suit this model, or it is damaged");
      const auto round =
          type_ == DType::kF16 ? kernels().float_to_half : kernels().float_to_bfloat16;
      round(rows.data(), out + begin * columns, rows.size());
    });
    return bytes;
  }

  Json passport() const {
    const auto& folder = source_.adapter()->folder;
    return {{"schema", "nibble.passport/1"},
            {"version", NIBBLE_VERSION},
            {"base", carried_.model_hashes()},
            {"tokenizer", carried_.tokenizer_hashes()},
            {"calibration", nullptr},
            {"recipe", Json::object()},
            {"modules", Json::array()},
            {"fused",
             {{"matrices", result_.fused},
              {"adapter", hash_files({folder / "adapter_config.json",
                                      folder / "adapter_model.safetensors"})}}}};
  }

  ModelSource source_;
  std::filesystem::path output_;
  FuseOptions options_;
  const ProgressSink& progress_;
  const LogSink& log_;
  CarriedParts carried_;
  DType type_ = DType::kBF16;
  std::map<std::string, Open> matrices_;  // by module: what is written anew
  std::vector<TensorInfo> kept_;
  FuseResult result_;
};

}  // namespace

FuseResult fuse(const std::filesystem::path& model, const std::filesystem::path& adapter,
                const std::filesystem::path& output, const FuseOptions& options,
                const ProgressSink& progress, const LogSink& log) {
  return Fusing(model, adapter, output, options, progress, log).run();
}

}  // namespace nibble
