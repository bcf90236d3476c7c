#include "nn/backward/distillation.h"

#include "nn/backward/slopes.h"
#include "nn/dense_linear.h"

namespace nibble {
namespace {

using test::Doubles;

constexpr std::size_t kWidth = 6, kTeacherWidth = 4, kVocabulary = 11;

std::vector<double> shares(const Doubles& hidden, const Doubles& head, std::size_t width,
                           std::size_t token, double temperature) {
  std::vector<double> p(kVocabulary);
  double total = 0;
  for (std::size_t v = 0; v < kVocabulary; ++v) {
    double logit = 0;
    for (std::size_t c = 0; c < width; ++c)
      logit += hidden[token * width + c] * head[v * width + c];
    total += p[v] = std::exp(logit / temperature);
  }
  for (double& share : p) share /= total;
  return p;
}

TEST(Distillation, LossIsTheDivergenceAndItsGradientTheSlope) {
  for (const std::size_t tokens : {1u, 5u, 600u})
    for (const float temperature : {1.0f, 2.5f}) {
      const Tensor hidden = test::random_tensor(tokens, kWidth, 1, 2);
      const Tensor weight = test::random_tensor(kVocabulary, kWidth, 2, 2);
      const Tensor taught = test::random_tensor(tokens, kTeacherWidth, 3, 2);
      const Tensor wise = test::random_tensor(kVocabulary, kTeacherWidth, 4, 2);
      const auto head = dense_linear(weight.clone()), teacher_head = dense_linear(wise.clone());
      std::vector<std::int32_t> labels(tokens, 3);
      for (std::size_t t = 1; t < tokens; t += 3) labels[t] = kNoLabel;
      const Doubles teacher_hidden = test::doubles_of(taught), teacher = test::doubles_of(wise);
      const auto loss = [&](const Doubles& h, const Doubles& w) {
        double sum = 0;
        for (std::size_t t = 0; t < tokens; ++t) {
          if (labels[t] == kNoLabel) continue;
          const auto p = shares(teacher_hidden, teacher, kTeacherWidth, t, temperature);
          const auto q = shares(h, w, kWidth, t, temperature);
          for (std::size_t v = 0; v < kVocabulary; ++v) sum += p[v] * std::log(p[v] / q[v]);
        }
        return sum * temperature * temperature;
      };
      Tensor dhidden(tokens, kWidth), dhead(kVocabulary, kWidth);
      dhidden.fill(7);
      dhead.fill(0);
      const TeacherHead from{teacher_head.get(), taught.view(), temperature};
      const HeadGradient to{0.5f, dhidden.view(), dhead.view()};
      const Loss found = distillation(*head, hidden.view(), from, labels, Compute::kFloat32, &to);
      const Doubles hiddens = test::doubles_of(hidden), weights = test::doubles_of(weight);
      EXPECT_NEAR(found.sum, loss(hiddens, weights), 1e-5 * loss(hiddens, weights));
      EXPECT_EQ(distillation(*head, hidden.view(), from, labels, Compute::kFloat32).sum, found.sum);
      test::expect_slopes(
          dhead, weight, [&](const Doubles& w) { return 0.5 * loss(hiddens, w); }, "head");
      if (tokens > 100) continue;  // quadratic work
      test::expect_slopes(
          dhidden, hidden, [&](const Doubles& h) { return 0.5 * loss(h, weights); }, "hidden");
    }
}

TEST(Distillation, OfItselfCostsNothing) {
  const Tensor hidden = test::random_tensor(5, kWidth, 1, 2);
  const auto head = dense_linear(test::random_tensor(kVocabulary, kWidth, 2, 2));
  const std::vector<std::int32_t> labels(5, 0);
  Tensor dhidden(5, kWidth);
  const HeadGradient to{1, dhidden.view(), {}};
  const Loss found = distillation(*head, hidden.view(), {head.get(), hidden.view(), 2}, labels,
                                  Compute::kFloat32, &to);
  EXPECT_NEAR(found.sum, 0, 1e-6);
  for (std::size_t i = 0; i < dhidden.size(); ++i) EXPECT_NEAR(dhidden.data()[i], 0, 1e-6);
}

}  // namespace
}  // namespace nibble
