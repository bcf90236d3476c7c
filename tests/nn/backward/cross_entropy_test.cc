#include "nn/backward/cross_entropy.h"

#include "nn/backward/slopes.h"
#include "nn/dense_linear.h"

namespace nibble {
namespace {

using test::Doubles;

constexpr std::size_t kWidth = 6, kVocabulary = 11;

double loss(const Doubles& hidden, const Doubles& head, const std::vector<std::int32_t>& labels) {
  double sum = 0;
  for (std::size_t t = 0; t < labels.size(); ++t) {
    if (labels[t] == kNoLabel) continue;
    double total = 0, chosen = 0;
    for (std::size_t v = 0; v < kVocabulary; ++v) {
      double logit = 0;
      for (std::size_t c = 0; c < kWidth; ++c)
        logit += hidden[t * kWidth + c] * head[v * kWidth + c];
      total += std::exp(logit);
      if (static_cast<std::int32_t>(v) == labels[t]) chosen = logit;
    }
    sum += std::log(total) - chosen;
  }
  return sum;
}

// More tokens than have logits at once, some without a label.
std::vector<std::int32_t> labels_of(std::size_t tokens) {
  std::vector<std::int32_t> labels;
  for (std::size_t t = 0; t < tokens; ++t)
    labels.push_back(t % 3 == 1 ? kNoLabel : static_cast<std::int32_t>(t * 7 % kVocabulary));
  return labels;
}

TEST(CrossEntropy, GradientIsTheSlopeOfTheLoss) {
  for (const std::size_t tokens : {1u, 5u, 600u}) {
    const Tensor hidden = test::random_tensor(tokens, kWidth, 1, 2);
    const Tensor weight = test::random_tensor(kVocabulary, kWidth, 2, 2);
    const auto head = dense_linear(weight.clone());
    const auto labels = labels_of(tokens);
    Tensor dhidden(tokens, kWidth), dhead(kVocabulary, kWidth);
    dhead.fill(0);
    const HeadGradient to{0.5f, dhidden.view(), dhead.view()};
    const Loss found = cross_entropy(*head, hidden.view(), labels, Compute::kFloat32, &to);
    const Doubles hiddens = test::doubles_of(hidden), weights = test::doubles_of(weight);
    const double expected = loss(hiddens, weights, labels);
    EXPECT_NEAR(found.sum, expected, 1e-5 * expected);
    EXPECT_EQ(found.tokens, static_cast<std::size_t>(std::count_if(labels.begin(), labels.end(),
                                                                   [](auto l) { return l >= 0; })));
    const Loss alone = cross_entropy(*head, hidden.view(), labels, Compute::kFloat32);
    EXPECT_EQ(alone.sum, found.sum);
    test::expect_slopes(
        dhead, weight, [&](const Doubles& w) { return 0.5 * loss(hiddens, w, labels); }, "head");
    if (tokens > 100) continue;  // quadratic work
    test::expect_slopes(
        dhidden, hidden, [&](const Doubles& h) { return 0.5 * loss(h, weights, labels); },
        "hidden");
  }
}

TEST(CrossEntropy, OfNoLabelsIsNothing) {
  const Tensor hidden = test::random_tensor(3, kWidth, 1);
  const auto head = dense_linear(test::random_tensor(kVocabulary, kWidth, 2));
  Tensor dhidden(3, kWidth);
  dhidden.fill(1);
  const std::vector<std::int32_t> labels(3, kNoLabel);
  const HeadGradient to{1, dhidden.view(), {}};
  const Loss found = cross_entropy(*head, hidden.view(), labels, Compute::kFloat32, &to);
  EXPECT_EQ(found.tokens, 0u);
  EXPECT_EQ(found.mean(), 0);
  for (std::size_t i = 0; i < dhidden.size(); ++i) EXPECT_EQ(dhidden.data()[i], 0);
}

// A sure and right prediction still has a gradient: it is taken in float32, where p − 1 is not 0.
TEST(CrossEntropy, KeepsTheGradientOfWhatIsNearlySure) {
  Tensor weight(2, 1), hidden(1, 1);
  weight.data()[0] = 0;
  weight.data()[1] = 1;
  hidden.data()[0] = 9;
  const std::vector<std::int32_t> labels = {1};
  Tensor dhidden(1, 1);
  const HeadGradient to{1, dhidden.view(), {}};
  cross_entropy(*dense_linear(weight.clone()), hidden.view(), labels, Compute::kFloat32, &to);
  EXPECT_NEAR(dhidden.data()[0], -1 / (1 + std::exp(9.0)), 1e-7);
}

}  // namespace
}  // namespace nibble
