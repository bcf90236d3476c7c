#include "train/full/full_parameters.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "base/parallel.h"
#include "base/text.h"
#include "checkpoint/plain_folder.h"
#include "kernels/kernels.h"
#include "nibble/error.h"
#include "nn/dense_linear.h"
#include "nn/row_tiles.h"
#include "quantize/convert/carried_parts.h"

namespace nibble {
namespace {

constexpr std::uint64_t kPassportBytes = 8192;
constexpr std::size_t kRows = 64, kValues = 65536;
constexpr float kLargestHalf = 65504;

// Looks at weights and a bias that change while it lives.
class TrainedLinear final : public Linear {
 public:
  TrainedLinear(const Tensor& weights, const float* bias)
      : weights_(dense_linear(std::as_bytes(std::span(weights.data(), weights.size())), DType::kF32,
                              weights.rows(), weights.columns())),
        bias_(bias) {}

  std::size_t inputs() const override { return weights_->inputs(); }
  std::size_t outputs() const override { return weights_->outputs(); }
  std::size_t bytes() const override { return weights_->bytes(); }
  std::string kind() const override { return weights_->kind(); }
  void forward(const LayerInput& x, Matrix y, Compute compute) const override {
    weights_->forward(x, y, compute);
    add_bias(bias_, y);
  }
  void decode(std::size_t first, Matrix out) const override { weights_->decode(first, out); }
  void add_input_gradient(ConstMatrix dy, Matrix dx, Compute compute) const override {
    weights_->add_input_gradient(dy, dx, compute);
  }
  const float* bias() const override { return bias_; }

 private:
  std::unique_ptr<Linear> weights_;
  const float* bias_;  // null: none
};

struct NamedNorm {
  std::string name;  // behind the layer's
  std::vector<float> Block::*gain;
  std::span<float> BlockGradients::*gradient;
};

// One name stands for two norms: behind attention, or in front of the MLP.
std::vector<NamedNorm> norms_of(const Block& block) {
  const bool behind = !block.attention_output_norm.empty();
  const char* const mlp = behind ? "pre_feedforward_layernorm" : "post_attention_layernorm";
  return {
      {"input_layernorm", &Block::attention_norm, &BlockGradients::attention_norm},
      {"self_attn.q_norm", &Block::query_norm, &BlockGradients::query_norm},
      {"self_attn.k_norm", &Block::key_norm, &BlockGradients::key_norm},
      {"post_attention_layernorm", &Block::attention_output_norm,
       &BlockGradients::attention_output_norm},
      {mlp, &Block::mlp_norm, &BlockGradients::mlp_norm},
      {"post_feedforward_layernorm", &Block::mlp_output_norm, &BlockGradients::mlp_output_norm},
  };
}

}  // namespace

FullParameters::FullParameters(const ModelSource& source, TrainingModel& model) {
  if (source.adapter() != nullptr)
    throw Error(ErrorKind::kInvalidArgument, "all of a model with an adapter cannot be trained",
                "nibble fuse makes one model of the two");
  const TensorNames& names = source.names();
  const auto take = [&](const std::string& module, std::unique_ptr<Linear>& linear) {
    auto& values = *weights_.emplace_back(std::make_unique<Tensor>());
    const Matrix gradient = matrix(module + ".weight", *linear, values);
    linear = std::make_unique<TrainedLinear>(values, nullptr);
    return gradient;
  };
  gradients_.embedding = take(names.embedding(), model.embedding());
  for (Block& block : model.blocks()) {
    take_block(source, block);
    source.drop_layer(block.layer);
  }
  gradients_.final_norm = norm(names.final_norm(), model.final_norm());
  if (source.hyper().tied_head) {
    gradients_.head = gradients_.embedding;
    model.head() = std::make_unique<TrainedLinear>(*weights_.front(), nullptr);
  } else {
    gradients_.head = take(names.head(), model.head());
  }
}

std::span<float> FullParameters::parameter(const std::string& name, std::span<float> values,
                                           std::vector<std::int64_t> shape) {
  parameters_.emplace_back(name, values, shape.size() == 2);
  shapes_.push_back(std::move(shape));
  return parameters_.back().gradient;  // stays where it is when parameters_ grows
}

// Fills `values` with what the layer stands for; the gradient.
Matrix FullParameters::matrix(const std::string& name, const Linear& from, Tensor& values) {
  values = Tensor(from.outputs(), from.inputs());
  parallel_ranges(values.rows(), kRows, [&](std::size_t begin, std::size_t end) {
    from.decode(begin, values.view().rows_at(begin, end - begin));
  });
  const auto gradient = parameter(
      name, {values.data(), values.size()},
      {static_cast<std::int64_t>(values.rows()), static_cast<std::int64_t>(values.columns())});
  return {gradient.data(), values.rows(), values.columns()};
}

std::span<float> FullParameters::norm(const std::string& name, std::vector<float>& gain) {
  if (gain.empty()) return {};
  return parameter(name + ".weight", gain, {static_cast<std::int64_t>(gain.size())});
}

void FullParameters::take_block(const ModelSource& source, Block& block) {
  gradients_.blocks.emplace_back();
  const std::string base = source.names().layer(block.layer);
  for (const NamedNorm& of : norms_of(block))
    gradients_.blocks.back().*of.gradient = norm(base + of.name, block.*of.gain);
  for (std::size_t role = 0; role < kRoles; ++role) {
    const auto as_role = static_cast<Role>(role);
    take_layer(source.module_path(block.layer, as_role), as_role, block);
  }
}

void FullParameters::take_layer(const std::string& module, Role role, Block& block) {
  std::unique_ptr<Linear>& linear = block.linears[static_cast<std::size_t>(role)];
  Tensor& values = *weights_.emplace_back(std::make_unique<Tensor>());
  const Matrix gradient = matrix(module + ".weight", *linear, values);
  const float* bias = nullptr;
  std::span<float> bias_gradient;
  if (linear->bias() != nullptr) {
    std::vector<float>& own = *biases_.emplace_back(
        std::make_unique<std::vector<float>>(linear->bias(), linear->bias() + linear->outputs()));
    bias = own.data();
    bias_gradient = parameter(module + ".bias", own, {static_cast<std::int64_t>(own.size())});
  }
  layer_gradients_.push_back(std::make_unique<WeightGradient>(gradient, bias_gradient));
  gradients_.blocks.back().layers[static_cast<std::size_t>(role)] = layer_gradients_.back().get();
  linear = std::make_unique<TrainedLinear>(values, bias);
}

std::size_t FullParameters::keep_zeros() {
  std::size_t count = 0;
  zeros_.clear();
  for (const auto& weight : weights_) {
    std::vector<bool>& zeros = zeros_.emplace_back(weight->size());
    for (std::size_t i = 0; i < zeros.size(); ++i) zeros[i] = weight->data()[i] == 0;
    count += static_cast<std::size_t>(std::count(zeros.begin(), zeros.end(), true));
  }
  return count;
}

// Nothing is copied: layers read the values where they lie.
void FullParameters::refresh() {
  parallel_for(zeros_.size(), [&](std::size_t w) {
    for (std::size_t i = 0; i < zeros_[w].size(); ++i)
      if (zeros_[w][i]) weights_[w]->data()[i] = 0;
  });
}

std::size_t FullParameters::trained_values() const {
  std::size_t total = 0;
  for (const Parameter& parameter : parameters_) total += parameter.values.size();
  return total;
}

namespace {

std::string type_name(DType dtype) {
  if (dtype == DType::kF32) return "float32";
  if (dtype == DType::kBF16) return "bfloat16";
  if (dtype == DType::kF16) return "float16";
  throw Error(ErrorKind::kInvalidArgument, cat("a trained model is not written in ", name(dtype)),
              "take F32, BF16 or F16");
}

class TrainedFolder {
 public:
  TrainedFolder(const ModelSource& source, const FullParameters& trained,
                const TrainedFolderOptions& options, const LogSink& log)
      : source_(source), trained_(trained), options_(options), carried_(source, true, log) {
    for (std::size_t i = 0; i < trained_.parameters().size(); ++i) {
      tensors_.push_back(info_of(i));
      modules_.insert(module_of(tensors_.back().name));
    }
    if (source.hyper().tied_head) modules_.insert(source.names().head());  // would be an old copy
    for (const TensorInfo& info : source.checkpoint().tensors()) {
      if (is_trained(info.name)) continue;
      auto planned = carried_.planned(info);
      if (!planned) continue;
      kept_.push_back(info);
      tensors_.push_back(std::move(*planned));
    }
  }

  void write(const std::filesystem::path& output, const Json& passport,
             const ProgressSink& progress, const LogSink& log) {
    OutputModel model = carried_.output(tensors_, kPassportBytes, log);
    Json config = *model.config;
    config.erase("quantization_config");
    config[config.contains("dtype") ? "dtype" : "torch_dtype"] = type_name(options_.dtype);
    model.config = &config;
    const auto writer = create_plain_folder(
        output, model, {.replace = options_.replace, .max_shard_bytes = options_.max_shard_bytes});
    double done = 0;
    for (const Parameter& parameter : trained_.parameters()) {
      throw_if_stopped();
      if (progress)
        progress({"Writing", parameter.name, done, static_cast<double>(tensors_.size())});
      writer->add(parameter.name, rounded(parameter));
      ++done;
    }
    for (const TensorInfo& info : kept_)
      writer->add(carried_.planned(info)->name, carried_.bytes(info));
    if (progress) progress({"Writing", "", 1, 1});
    writer->finish(passport);
  }

 private:
  static std::string module_of(const std::string& tensor) {
    return tensor.substr(0, tensor.rfind('.'));
  }

  // Anything that the checkpoint calls MODULE.something: codes and scales of what was packed too.
  bool is_trained(const std::string& tensor) const {
    for (auto dot = tensor.find('.'); dot != tensor.npos; dot = tensor.find('.', dot + 1))
      if (modules_.contains(tensor.substr(0, dot))) return true;
    return false;
  }

  TensorInfo info_of(std::size_t i) const {
    const Parameter& parameter = trained_.parameters()[i];
    TensorInfo info;
    info.name = parameter.name;
    info.dtype = options_.dtype;
    info.shape = trained_.shape(i);
    info.bytes = parameter.values.size() * static_cast<std::uint64_t>(bits(options_.dtype)) / 8;
    return info;
  }

  // What folders hold of a trained gain.
  float offset_of(const std::string& tensor) const {
    return source_.spec().gain_less_one && tensor.ends_with("norm.weight") ? 1.0f : 0.0f;
  }

  std::vector<std::byte> rounded(const Parameter& parameter) const {
    const std::size_t width = static_cast<std::size_t>(bits(options_.dtype)) / 8;
    std::vector<std::byte> bytes(parameter.values.size() * width);
    const float offset = offset_of(parameter.name);
    const float largest = options_.dtype == DType::kF16 ? kLargestHalf : 3e38f;
    parallel_ranges(parameter.values.size(), kValues, [&](std::size_t begin, std::size_t end) {
      std::vector<float> part(parameter.values.begin() + static_cast<std::ptrdiff_t>(begin),
                              parameter.values.begin() + static_cast<std::ptrdiff_t>(end));
      for (float& value : part) {
        value -= offset;
        if (!(std::fabs(value) <= largest))
          throw Error(ErrorKind::kNumeric, cat(parameter.name, ": a weight became ", value,
                                               ", which ", name(options_.dtype), " cannot hold"));
      }
      std::byte* const out = bytes.data() + begin * width;
      if (options_.dtype == DType::kF32)
        std::memcpy(out, part.data(), part.size() * width);
      else if (options_.dtype == DType::kF16)
        kernels().float_to_half(part.data(), reinterpret_cast<std::uint16_t*>(out), part.size());
      else
        kernels().float_to_bfloat16(part.data(), reinterpret_cast<std::uint16_t*>(out),
                                    part.size());
    });
    return bytes;
  }

  const ModelSource& source_;
  const FullParameters& trained_;
  TrainedFolderOptions options_;
  CarriedParts carried_;
  std::set<std::string> modules_;
  std::vector<TensorInfo> tensors_, kept_;
};

}  // namespace

void write_trained_folder(const std::filesystem::path& output, const ModelSource& source,
                          const FullParameters& trained, const Json& passport,
                          const TrainedFolderOptions& options, const ProgressSink& progress,
                          const LogSink& log) {
  type_name(options.dtype);
  TrainedFolder(source, trained, options, log).write(output, passport, progress, log);
}

}  // namespace nibble
