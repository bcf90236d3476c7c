#include "train/packed_base.h"

#include <algorithm>
#include <array>

#include "base/parallel.h"
#include "base/text.h"
#include "checkpoint/layout.h"
#include "formats/packed_codes.h"
#include "nibble/error.h"
#include "nn/codes_linear.h"
#include "nn/stored_linear.h"
#include "quantize/layer/rounder.h"
#include "quantize/method.h"

namespace nibble {
namespace {

// As the layouts of that name store it.
struct PackedBase {
  std::string_view grid, layout, dialect;
  std::size_t group_size;
  bool symmetric;
};
constexpr std::array<PackedBase, 4> kBases = {{{"nf4", "bitsandbytes", "double", 64, true},
                                               {"fp4", "bitsandbytes", "double", 64, true},
                                               {"int4", "hqq", "", 64, false},
                                               {"int8", "hqq", "", 64, false}}};

const PackedBase& base_named(std::string_view grid) {
  const auto base = std::find_if(kBases.begin(), kBases.end(),
                                 [&](const PackedBase& known) { return known.grid == grid; });
  if (base == kBases.end())
    throw Error(ErrorKind::kInvalidArgument, cat("a base of ", grid, " is not known"),
                cat("choose from ", join(packed_bases(), ", "),
                    "; or quantize the model first and train on the result"));
  return *base;
}

bool plain(const Linear& layer) {
  const std::string kind = layer.kind();
  return kind == "bf16" || kind == "f16" || kind == "f32";
}

std::unique_ptr<Linear> packed(const Linear& layer, const PackedBase& base, Compute compute) {
  Tensor weight(layer.outputs(), layer.inputs());
  parallel_ranges(layer.outputs(), 64, [&](std::size_t begin, std::size_t end) {
    layer.decode(begin, weight.view().rows_at(begin, end - begin));
  });
  const Method& method = methods::named("rtn");
  LayoutSettings settings;
  settings.base = {&grids::named(base.grid), base.group_size};
  settings.dialect = base.dialect;
  settings.symmetric = base.symmetric;
  Task task;
  task.weight = weight.view();
  task.grid = settings.base.grid;
  task.group_size = base.group_size;
  task.storable =
      layouts::named(base.layout)
          .storable(code_shape(weight.rows(), weight.columns(), settings.base), settings);
  task.options = Options(method.options);
  task.options.set(kScalesOption, "absmax");  // as bitsandbytes has them; searching takes minutes
  decide_symmetry(*task.grid, task.storable, task.options);
  std::vector<float> bias;
  if (layer.bias() != nullptr) bias.assign(layer.bias(), layer.bias() + layer.outputs());
  const Codes codes = method.quantize(task).codes;
  // Products of bytes read panels, which are made of stored codes; those of floats a packed matrix.
  if (compute == Compute::kInt8)
    return stored_linear(std::make_unique<PackedCodes>(codes), std::move(bias));
  return codes_linear(codes, std::move(bias));
}

}  // namespace

std::vector<std::string> packed_bases() {
  std::vector<std::string> names;
  for (const PackedBase& base : kBases) names.emplace_back(base.grid);
  return names;
}

double packed_bits(std::string_view grid, Compute compute) {
  const PackedBase& base = base_named(grid);
  // A scale and a zero of each group in float32; of panels, the codes a second time.
  const double bits = grids::named(base.grid).bits_per_weight();
  const double scales = 64.0 / static_cast<double>(base.group_size);
  return compute == Compute::kInt8 ? 2 * (bits + scales) : bits + scales;
}

void pack_base(TrainingModel& model, const ModelSource& source, std::string_view grid,
               Compute compute, const ProgressSink& progress) {
  const PackedBase& base = base_named(grid);
  const auto layers = static_cast<double>(model.blocks().size());
  for (Block& block : model.blocks()) {
    throw_if_stopped();
    if (progress)
      progress(
          {"Packing", source.names().layer(block.layer), static_cast<double>(block.layer), layers});
    for (std::unique_ptr<Linear>& layer : block.linears) {
      if (!plain(*layer))
        throw Error(ErrorKind::kInvalidArgument,
                    cat("the model is packed already, in ", layer->kind()),
                    "leave --base out: adapters are trained on it as it is");
      layer = packed(*layer, base, compute);
      layer->prepare(compute);
    }
    source.drop_layer(block.layer);
  }
  if (progress) progress({"Packing", "", 1, 1});
}

}  // namespace nibble
