// A small layer with correlated inputs, for tests of methods.
#pragma once

#include <cmath>
#include <map>
#include <string>

#include "base/random.h"
#include "quantize/layer/rounder.h"
#include "quantize/method.h"

namespace nibble::test {

// Weights [rows, columns] and the mean of x·xᵀ over `tokens` inputs whose columns differ in size
// and depend on each other, as a layer's inputs do.
struct SampleTask {
  Tensor weight, inputs, hessian;
  Task task;

  SampleTask(std::size_t rows, std::size_t columns, std::size_t tokens, int bits,
             std::string_view symmetry = "asymmetric", std::size_t group_size = 0,
             std::uint64_t seed = 1)
      : weight(rows, columns), inputs(tokens, columns), hessian(columns, columns) {
    Random random(seed);
    const auto normal = [&] {
      float sum = 0;
      for (int i = 0; i < 12; ++i) sum += static_cast<float>(random.uniform());
      return sum - 6;
    };
    for (std::size_t i = 0; i < weight.size(); ++i) weight.data()[i] = 0.1f * normal();
    for (std::size_t t = 0; t < tokens; ++t) {
      const float common = normal();
      for (std::size_t c = 0; c < columns; ++c)
        inputs.view()(t, c) =
            (normal() + common) * std::exp(0.15f * static_cast<float>(c % 16)) * 0.3f;
    }
    for (std::size_t i = 0; i < columns; ++i)
      for (std::size_t j = 0; j < columns; ++j) {
        double sum = 0;
        for (std::size_t t = 0; t < tokens; ++t)
          sum += static_cast<double>(inputs.view()(t, i)) * inputs.view()(t, j);
        hessian.view()(i, j) = static_cast<float>(sum / static_cast<double>(tokens));
      }
    task.weight = weight.view();
    task.grid = &grids::uniform(bits);
    task.group_size = group_size == 0 ? columns : group_size;
    task.hessian = hessian.view();
    task.storable.group_index = true;
    settings["symmetry"] = symmetry;
  }

  // What `method` makes of it, with the settings it reads.
  Outcome quantized(std::string_view name) {
    const Method& method = methods::named(name);
    task.options = Options(method.options);
    for (const OptionSpec* spec : method.options)
      if (const auto found = settings.find(spec->name); found != settings.end())
        task.options.set(*spec, found->second);
    decide_symmetry(*task.grid, task.storable, task.options);
    return method.quantize(task);
  }

  std::map<std::string, std::string, std::less<>> settings;
};

// tr((W − Ŵ) H (W − Ŵ)ᵀ), in double.
inline double output_loss(ConstMatrix weight, ConstMatrix decoded, ConstMatrix hessian) {
  double loss = 0;
  for (std::size_t r = 0; r < weight.rows; ++r)
    for (std::size_t i = 0; i < weight.columns; ++i)
      for (std::size_t j = 0; j < weight.columns; ++j)
        loss += (static_cast<double>(weight(r, i)) - decoded(r, i)) * hessian(i, j) *
                (static_cast<double>(weight(r, j)) - decoded(r, j));
  return loss;
}

inline double output_loss(const Task& task, const Codes& codes) {
  Tensor decoded(codes.rows, codes.columns);
  decode_rows(codes, 0, decoded.view());
  return output_loss(task.weight, decoded.view(), task.hessian);
}

}  // namespace nibble::test
