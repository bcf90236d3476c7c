#include "evaluate/weight_difference.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "base/text.h"
#include "model/source.h"
#include "nibble/error.h"
#include "tensor/half.h"

namespace nibble {
namespace {

constexpr std::size_t kRowsAtOnce = 64;

// A type that one model's numbers were rounded to, and whether the other's round to them.
class Rounding {
 public:
  explicit Rounding(const std::string& kind)
      : round_(kind == "bf16"  ? bfloat16
               : kind == "f16" ? half
                               : nullptr),
        type_(kind == "bf16" ? DType::kBF16 : DType::kF16) {}
  void see(float rounded, float other) { holds_ &= round_ != nullptr && round_(other) == rounded; }
  bool holds() const { return holds_; }
  DType type() const { return type_; }

 private:
  static float bfloat16(float value) { return bfloat16_to_float(float_to_bfloat16(value)); }
  static float half(float value) { return half_to_float(float_to_half(value)); }

  float (*round_)(float);
  DType type_;
  bool holds_ = true;
};

class Sums {
 public:
  Sums(std::string kind, std::string other) : first_(kind), second_(other) {
    part_.kind = std::move(kind);
    part_.other = std::move(other);
  }
  void add(std::span<const float> a, std::span<const float> b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      // Values that are not finite are equal where their bits are.
      const bool same = a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]));
      part_.unequal += same ? 0 : 1;
      if (!same) {
        first_.see(a[i], b[i]);
        second_.see(b[i], a[i]);
      }
      const double gap = same ? 0 : static_cast<double>(a[i]) - static_cast<double>(b[i]);
      squares_ += static_cast<double>(a[i]) * static_cast<double>(a[i]);
      gaps_ += gap * gap;
      part_.largest = std::max(part_.largest, std::fabs(gap));
    }
    part_.weights += a.size();
  }
  PartDifference finish(std::string name) {
    part_.name = std::move(name);
    if (part_.unequal != 0 && (first_.holds() || second_.holds()))
      part_.equal_as = nibble::name((first_.holds() ? first_ : second_).type());
    part_.relative = squares_ > 0 ? gaps_ / squares_ : gaps_ > 0 ? 1 : 0;
    return std::move(part_);
  }

 private:
  PartDifference part_;
  Rounding first_, second_;
  double squares_ = 0, gaps_ = 0;
};

class Comparison {
 public:
  Comparison(const std::filesystem::path& a, const std::filesystem::path& b,
             const ProgressSink& progress)
      : a_(a), b_(b), progress_(progress) {}

  std::vector<PartDifference> run() {
    const std::size_t layers = a_.hyper().layers;
    if (layers != b_.hyper().layers)
      throw Error(ErrorKind::kInvalidArgument,
                  cat(a_.path().string(), " has ", layers, " layers, ", b_.path().string(), " has ",
                      b_.hyper().layers),
                  "name two forms of one model");
    const auto embedding = a_.embedding(), other_embedding = b_.embedding();
    linear(a_.names().embedding(), *embedding, *other_embedding);
    for (std::size_t layer = 0; layer < layers; ++layer) {
      throw_if_stopped();
      if (progress_)
        progress_({"Comparing", a_.names().layer(layer), static_cast<double>(layer),
                   static_cast<double>(layers)});
      compare_layer(layer);
      a_.drop_layer(layer);
      b_.drop_layer(layer);
    }
    vector(a_.names().final_norm(), a_.final_norm(), b_.final_norm());
    const auto head = a_.head(), other_head = b_.head();
    // A tied head has been compared: it is the embedding, on both sides or by its values.
    const bool tied = a_.checkpoint().find(a_.names().head() + ".weight") == nullptr &&
                      b_.checkpoint().find(b_.names().head() + ".weight") == nullptr &&
                      !has_module(a_.checkpoint(), a_.names().head()) &&
                      !has_module(b_.checkpoint(), b_.names().head());
    if (!tied) linear(a_.names().head(), *head, *other_head);
    return std::move(parts_);
  }

 private:
  void compare_layer(std::size_t layer) {
    const Block a = a_.block(layer), b = b_.block(layer);
    const std::string prefix = a_.names().layer(layer);
    vector(prefix + "attention norm", a.attention_norm, b.attention_norm);
    vector(prefix + "MLP norm", a.mlp_norm, b.mlp_norm);
    vector(prefix + "query norm", a.query_norm, b.query_norm);
    vector(prefix + "key norm", a.key_norm, b.key_norm);
    vector(prefix + "attention output norm", a.attention_output_norm, b.attention_output_norm);
    vector(prefix + "MLP output norm", a.mlp_output_norm, b.mlp_output_norm);
    for (std::size_t i = 0; i < kRoles; ++i) {
      const auto role = static_cast<Role>(i);
      linear(a_.module_path(layer, role), a.linear(role), b.linear(role));
    }
  }

  [[noreturn]] static void refuse(const std::string& name, const std::string& a,
                                  const std::string& b) {
    throw Error(ErrorKind::kInvalidArgument,
                cat("\"", name, "\" is ", a, " in the first model and ", b, " in the second"),
                "name two forms of one model");
  }

  void vector(const std::string& name, const std::vector<float>& a, const std::vector<float>& b) {
    if (a.size() != b.size()) refuse(name, cat(a.size(), " numbers"), cat(b.size(), " numbers"));
    if (a.empty()) return;
    Sums sums("numbers", "numbers");
    sums.add(a, b);
    parts_.push_back(sums.finish(name));
  }

  void linear(const std::string& name, const Linear& a, const Linear& b) {
    const auto shape = [](const Linear& linear) {
      return cat(linear.outputs(), " x ", linear.inputs());
    };
    if (a.outputs() != b.outputs() || a.inputs() != b.inputs()) refuse(name, shape(a), shape(b));
    if ((a.bias() == nullptr) != (b.bias() == nullptr))
      refuse(name, a.bias() == nullptr ? "without a bias" : "with a bias",
             b.bias() == nullptr ? "without a bias" : "with a bias");
    Sums sums(a.kind(), b.kind());
    Tensor x(kRowsAtOnce, a.inputs()), y(kRowsAtOnce, a.inputs());
    for (std::size_t first = 0; first < a.outputs(); first += kRowsAtOnce) {
      const std::size_t count = std::min(kRowsAtOnce, a.outputs() - first);
      const Matrix rows = x.view().rows_at(0, count), others = y.view().rows_at(0, count);
      a.decode(first, rows);
      b.decode(first, others);
      for (std::size_t r = 0; r < count; ++r)
        sums.add({rows.row(r), a.inputs()}, {others.row(r), a.inputs()});
    }
    parts_.push_back(sums.finish(name));
    if (a.bias() == nullptr) return;
    Sums biases("numbers", "numbers");
    biases.add({a.bias(), a.outputs()}, {b.bias(), a.outputs()});
    parts_.push_back(biases.finish(name + ".bias"));
  }

  ModelSource a_, b_;
  const ProgressSink& progress_;
  std::vector<PartDifference> parts_;
};

}  // namespace

std::vector<PartDifference> weight_differences(const std::filesystem::path& a,
                                               const std::filesystem::path& b,
                                               const ProgressSink& progress) {
  return Comparison(a, b, progress).run();
}

}  // namespace nibble
