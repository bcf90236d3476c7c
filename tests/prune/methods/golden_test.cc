// Every method beside scripts/make_golden_prune.py, which computes the same in other ways.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/json.h"
#include "base/parallel.h"
#include "prune/amount.h"
#include "prune/methods/pruning.h"
#include "prune/units.h"
#include "quantize/layer/feedback_options.h"
#include "support/paths.h"

namespace nibble {
namespace {

// The layer of the script: its integers give the same floats here.
struct Layer {
  Tensor weight, hessian;
  explicit Layer(const Json& golden) {
    const std::size_t rows = golden["rows"], columns = golden["columns"], tokens = golden["tokens"];
    std::uint32_t state = 1;
    const auto next = [&state] {
      state = state * 1664525u + 1013904223u;
      return static_cast<double>(state >> 8) / (1 << 24) - 0.5;
    };
    weight = Tensor(rows, columns);
    hessian = Tensor(columns, columns);
    for (std::size_t i = 0; i < weight.size(); ++i) weight.data()[i] = static_cast<float>(next());
    std::vector<double> sums(columns * columns), row(columns);
    for (std::size_t t = 0; t < tokens; ++t) {
      for (double& value : row) value = next();
      for (std::size_t c = 1; c < columns; ++c)
        row[c] = row[c - 1] * 0.5 + row[c] * (1 + static_cast<double>(c % 8)) / 4;
      row[5] = 0;
      for (double& value : row) value = static_cast<double>(static_cast<float>(value));
      for (std::size_t i = 0; i < columns; ++i)
        for (std::size_t j = 0; j < columns; ++j) sums[i * columns + j] += row[i] * row[j];
    }
    for (std::size_t i = 0; i < sums.size(); ++i)
      hessian.data()[i] = static_cast<float>(sums[i] / static_cast<double>(tokens));
  }
};

Outcome pruned(const Json& test, const Layer& layer, double damping) {
  const bool whole = test["method"] == "units";
  const Method& method = whole ? pruning::units : pruning::named(test["method"].get<std::string>());
  Task task;
  task.weight = layer.weight.view();
  if (method.needs == Needs::kHessian) task.hessian = layer.hessian.view();
  task.options = Options(method.options);
  task.options.set(kTypeOption, "f32");
  if (task.options.has("damping")) task.options.set(kDampingOption, std::to_string(damping));
  if (whole) {
    pruning::set_units({test["sections"], test["unit"], test["kept"]}, test["repair"],
                       task.options);
  } else {
    Amount amount{test["sparsity"], {}};
    if (!test["pattern"].is_null())
      amount.pattern = Pattern{test["pattern"][0], test["pattern"][1]};
    set_amount(amount, task.options);
  }
  return method.quantize(task);
}

TEST(PruneMethods, GiveWhatTheScriptGives) {
  const Json golden =
      read_json(std::filesystem::path(kSourceFolder) / "tests/golden/prune/layer.json");
  const Layer layer(golden);
  ASSERT_EQ(golden["cases"].size(), 16u);
  for (const Json& test : golden["cases"]) {
    const std::string what = Json{test["method"], test.value("sparsity", Json()),
                                  test.value("pattern", Json()), test.value("unit", Json())}
                                 .dump();
    set_threads(1);
    const Outcome outcome = pruned(test, layer, golden["damping"]);
    for (std::size_t r = 0; r < layer.weight.rows(); ++r) {
      const std::string& zeros = test["zeros"][r].get_ref<const std::string&>();
      std::size_t next = 0;
      for (std::size_t c = 0; c < layer.weight.columns(); ++c) {
        const float value = outcome.dense.view()(r, c);
        ASSERT_EQ(value != 0, zeros[c] == '1') << what << " row " << r << " column " << c;
        if (value == 0) continue;
        if (test["weight"].is_null())
          EXPECT_EQ(value, layer.weight.view()(r, c)) << what;
        else
          EXPECT_NEAR(value, test["weight"][r][next++].get<double>(), 2e-4) << what << ' ' << c;
      }
    }
    set_threads(3);
    const Outcome other = pruned(test, layer, golden["damping"]);
    EXPECT_TRUE(std::equal(other.dense.data(), other.dense.data() + other.dense.size(),
                           outcome.dense.data()))
        << what << ": threads change the result";
    EXPECT_EQ(outcome.dead_columns, test["method"] == "wanda" || test["method"] == "sparsegpt");
  }
  set_threads(0);
}

TEST(PruneMethods, LoseLessWhereTheyKnowTheInputs) {
  const Json golden =
      read_json(std::filesystem::path(kSourceFolder) / "tests/golden/prune/layer.json");
  const Layer layer(golden);
  std::map<std::string, double> lost;
  for (const Json& test : golden["cases"])
    if (test.value("sparsity", 0.0) == 0.5 || test.value("unit", 0) == 16) {
      const Outcome outcome = pruned(test, layer, 0.01);
      const std::string name =
          test["method"].get<std::string>() + (test.value("repair", false) ? " repaired" : "");
      Task task;
      task.weight = layer.weight.view();
      task.hessian = layer.hessian.view();
      task.options = Options(kAmountOptions);
      task.options.set(kTypeOption, "f32");
      lost[name] = *finished(task, outcome.dense.clone()).output_error;
    }
  EXPECT_LT(lost.at("wanda"), 0.9 * lost.at("magnitude"));
  EXPECT_LT(lost.at("sparsegpt"), 0.9 * lost.at("magnitude"));
  EXPECT_LT(lost.at("units repaired"), 0.9 * lost.at("units"));
}

}  // namespace
}  // namespace nibble
