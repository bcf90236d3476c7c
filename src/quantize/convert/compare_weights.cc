#include "quantize/convert/compare_weights.h"

#include <algorithm>
#include <vector>

#include "base/progress.h"
#include "base/text.h"
#include "nibble/error.h"
#include "nibble/tensor.h"
#include "quantize/recovery/number_line.h"

namespace nibble {
namespace {

class Comparison {
 public:
  Comparison(const ModelSource& source, const std::filesystem::path& output)
      : source_(source), output_(output) {}

  void same(const std::string& name, bool equal) const {
    if (!equal)
      throw Error(ErrorKind::kNumeric, cat("\"", name, "\" of the output reads otherwise"),
                  remedy());
  }

  void matrices(const std::string& name, const Linear* a, const Linear* b) const {
    if (a == nullptr) return;
    same(name, b != nullptr && a->inputs() == b->inputs() && a->outputs() == b->outputs());
    Tensor x(1, a->inputs()), y(1, a->inputs());
    const DType type = type_of(name);
    for (std::size_t r = 0; r < a->outputs(); ++r) {
      throw_if_stopped();
      a->decode(r, x.view());
      b->decode(r, y.view());
      if (!rounds_to(type, y.data(), {x.data(), a->inputs()}))
        throw Error(ErrorKind::kNumeric,
                    cat("module \"", name, "\": row ", r, " of the output reads otherwise"),
                    remedy());
    }
    const float* own = a->bias();
    const float* other = b->bias();
    same(cat(name, ".bias"), (own == nullptr) == (other == nullptr) &&
                                 (own == nullptr || std::equal(own, own + a->outputs(), other)));
  }

 private:
  // Of the source's own numbers; F32, which rounds nothing, where they are codes.
  DType type_of(const std::string& module) const {
    const TensorInfo* info = source_.checkpoint().find(cat(module, ".weight"));
    return info != nullptr && info->blocks == nullptr ? info->dtype : DType::kF32;
  }
  std::string remedy() const { return cat("do not use ", output_.string(), ", and report this"); }

  const ModelSource& source_;
  const std::filesystem::path& output_;
};

}  // namespace

void compare_weights(const ModelSource& source, const std::filesystem::path& output,
                     const std::function<void(const std::string& name, double share)>& progress) {
  const Comparison comparison(source, output);
  const ModelSource written(output);
  const std::size_t layers = source.hyper().layers;
  for (std::size_t layer = 0; layer < layers; ++layer) {
    const Block before = source.block(layer), after = written.block(layer);
    for (std::size_t i = 0; i < kRoles; ++i) {
      const std::string name = source.module_path(layer, static_cast<Role>(i));
      progress(name,
               static_cast<double>(layer * kRoles + i) / static_cast<double>(layers * kRoles));
      comparison.matrices(name, before.linears[i].get(), after.linears[i].get());
    }
    const std::string place = cat("layer ", layer, ": ");
    comparison.same(place + "norm of attention", before.attention_norm == after.attention_norm);
    comparison.same(place + "norm of the MLP", before.mlp_norm == after.mlp_norm);
    comparison.same(place + "norm behind attention",
                    before.attention_output_norm == after.attention_output_norm);
    comparison.same(place + "norm behind the MLP", before.mlp_output_norm == after.mlp_output_norm);
    comparison.same(place + "norm of queries", before.query_norm == after.query_norm);
    comparison.same(place + "norm of keys", before.key_norm == after.key_norm);
  }
  comparison.matrices(source.names().embedding(), source.embedding().get(),
                      written.embedding().get());
  comparison.matrices(source.names().head(), source.head().get(), written.head().get());
  comparison.same("the last norm", source.final_norm() == written.final_norm());
  progress("", 1);
}

}  // namespace nibble
