#include "nn/backward/attention_gradient.h"

#include <cstring>

#include "nibble/process.h"
#include "nn/backward/slopes.h"

namespace nibble {
namespace {

using test::Doubles;

struct Problem {
  AttentionShape shape;
  std::size_t length;
  Tensor query, keys, values, dout;

  Problem(std::size_t heads, std::size_t kv_heads, std::size_t d, std::size_t positions,
          std::size_t window)
      : length(positions),
        query(test::random_tensor(positions, heads * d, 1)),
        keys(test::random_tensor(positions, kv_heads * d, 2)),
        values(test::random_tensor(positions, kv_heads * d, 3)),
        dout(test::random_tensor(positions, heads * d, 4)) {
    shape.heads = heads;
    shape.kv_heads = kv_heads;
    shape.head_dim = d;
    shape.scale = 0.7f;
    shape.window = window;
  }

  // Σ dout · attention(q, k, v)
  double loss(const Doubles& q, const Doubles& k, const Doubles& v) const {
    const std::size_t d = shape.head_dim, wide = shape.heads * d, narrow = shape.kv_heads * d;
    double sum = 0;
    for (std::size_t head = 0; head < shape.heads; ++head)
      for (std::size_t i = 0; i < length; ++i) {
        const std::size_t at = head * shape.kv_heads / shape.heads * d;
        const std::size_t first =
            shape.window != 0 && i + 1 > shape.window ? i + 1 - shape.window : 0;
        double total = 0, mixed = 0;
        for (std::size_t j = first; j <= i; ++j) {
          double score = 0, value = 0;
          for (std::size_t c = 0; c < d; ++c) {
            score += q[i * wide + head * d + c] * k[j * narrow + at + c];
            value +=
                v[j * narrow + at + c] * static_cast<double>(dout.data()[i * wide + head * d + c]);
          }
          total += std::exp(score * static_cast<double>(shape.scale));
          mixed += std::exp(score * static_cast<double>(shape.scale)) * value;
        }
        sum += mixed / total;
      }
    return sum;
  }
};

struct Found {
  Tensor query, keys, values;
  explicit Found(const Problem& of)
      : query(of.query.rows(), of.query.columns()),
        keys(of.keys.rows(), of.keys.columns()),
        values(of.values.rows(), of.values.columns()) {}
  AttentionGradient of(const Problem& p) {
    return {p.query.view(), p.keys.view(), p.values.view(), p.dout.view(),
            query.view(),   keys.view(),   values.view()};
  }
};

TEST(AttentionGradient, IsTheSlope) {
  for (const auto& [heads, kv_heads, d, length, window] :
       {std::array<std::size_t, 5>{1, 1, 3, 1, 0},
        {2, 2, 4, 9, 0},
        {6, 2, 3, 7, 0},
        {4, 1, 5, 12, 4},
        {2, 1, 3, 70, 0},
        {1, 1, 2, 70, 5}}) {
    const Problem problem(heads, kv_heads, d, length, window);
    Found found(problem);
    const AttentionGradient gradient = found.of(problem);
    attention_gradient({&gradient, 1}, problem.shape);
    const Doubles q = test::doubles_of(problem.query), k = test::doubles_of(problem.keys),
                  v = test::doubles_of(problem.values);
    if (length > 1) {  // one position alone mixes nothing
      test::expect_slopes(
          found.query, problem.query, [&](const Doubles& x) { return problem.loss(x, k, v); },
          "queries");
      test::expect_slopes(
          found.keys, problem.keys, [&](const Doubles& x) { return problem.loss(q, x, v); },
          "keys");
    }
    test::expect_slopes(
        found.values, problem.values, [&](const Doubles& x) { return problem.loss(q, k, x); },
        "values");
  }
}

TEST(AttentionGradient, OfSeveralSequencesIsThatOfEachForAnyNumberOfThreads) {
  const Problem first(4, 2, 8, 70, 0), second(4, 2, 8, 33, 0);
  Found alone[2] = {Found(first), Found(second)}, together[2] = {Found(first), Found(second)};
  const AttentionGradient one = alone[0].of(first), other = alone[1].of(second);
  attention_gradient({&one, 1}, first.shape);
  attention_gradient({&other, 1}, first.shape);
  const AttentionGradient both[2] = {together[0].of(first), together[1].of(second)};
  set_threads(1);
  attention_gradient(both, first.shape);
  set_threads(0);
  for (std::size_t i = 0; i < 2; ++i)
    for (const auto part : {&Found::query, &Found::keys, &Found::values})
      EXPECT_EQ(std::memcmp((alone[i].*part).data(), (together[i].*part).data(),
                            (alone[i].*part).size() * sizeof(float)),
                0);
}

}  // namespace
}  // namespace nibble
