// Attention and its cache against the definition in double.
#include "nn/attention/attention.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/parallel.h"
#include "base/random.h"

namespace nibble {
namespace {

struct Case {
  std::size_t heads, kv_heads, head_dim, past, length, window;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.heads << "/" << c.kv_heads << " heads of " << c.head_dim << ", " << c.past << " + "
       << c.length << ", window " << c.window;
}

Tensor random_rows(std::size_t rows, std::size_t columns, std::uint64_t seed) {
  Random random(seed);
  Tensor out(rows, columns);
  for (std::size_t i = 0; i < out.size(); ++i)
    out.data()[i] = static_cast<float>(4 * random.uniform() - 2);
  return out;
}

struct Problem {
  Case shape;
  Tensor query, keys, values;
  explicit Problem(const Case& c)
      : shape(c),
        query(random_rows(c.length, c.heads * c.head_dim, 1)),
        keys(random_rows(c.past + c.length, c.kv_heads * c.head_dim, 2)),
        values(random_rows(c.past + c.length, c.kv_heads * c.head_dim, 3)) {}

  AttentionShape attention_shape() const {
    AttentionShape out;
    out.heads = shape.heads;
    out.kv_heads = shape.kv_heads;
    out.head_dim = shape.head_dim;
    out.scale = 1 / std::sqrt(static_cast<float>(shape.head_dim));
    out.window = shape.window;
    return out;
  }

  Tensor run(const KvView& keys_view, const KvView& values_view, bool round = false) const {
    Tensor out(query.rows(), query.columns());
    AttentionShape s = attention_shape();
    s.round_to_bfloat16 = round;
    const AttentionInput input{query.view(), keys_view, values_view, out.view()};
    attention({&input, 1}, s);
    return out;
  }

  Tensor expected() const {
    const AttentionShape s = attention_shape();
    const std::size_t d = s.head_dim;
    Tensor out(query.rows(), query.columns());
    for (std::size_t r = 0; r < shape.length; ++r)
      for (std::size_t head = 0; head < s.heads; ++head) {
        const std::size_t at = head * s.kv_heads / s.heads * d, position = shape.past + r;
        std::vector<double> scores;
        double total = 0;
        std::size_t first = 0;
        if (s.window != 0 && position + 1 > s.window) first = position + 1 - s.window;
        for (std::size_t j = first; j <= position; ++j) {
          double score = 0;
          for (std::size_t c = 0; c < d; ++c)
            score += static_cast<double>(query.view()(r, head * d + c)) * keys.view()(j, at + c);
          scores.push_back(std::exp(score * s.scale));
          total += scores.back();
        }
        for (std::size_t c = 0; c < d; ++c) {
          double sum = 0;
          for (std::size_t j = first; j <= position; ++j)
            sum += scores[j - first] * values.view()(j, at + c);
          out.view()(r, head * d + c) = static_cast<float>(sum / total);
        }
      }
    return out;
  }
};

double distance(const Tensor& a, const Tensor& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    most = std::max(most, std::abs(static_cast<double>(a.data()[i]) - b.data()[i]));
  return most;
}

class Attention : public testing::TestWithParam<Case> {};

TEST_P(Attention, EqualsTheDefinition) {
  const Problem problem(GetParam());
  const Tensor expected = problem.expected();
  const KvView keys(problem.keys.view()), values(problem.values.view());
  EXPECT_LT(distance(problem.run(keys, values), expected), 2e-5);
  EXPECT_LT(distance(problem.run(keys, values, true), expected), 2e-2);
}

TEST_P(Attention, ReadsEveryTypeOfCache) {
  const Problem problem(GetParam());
  const Tensor expected = problem.expected();
  const std::size_t columns = problem.keys.columns(), rows = problem.keys.rows();
  for (const auto& [type, tolerance] : {std::pair(KvType::kFloat32, 2e-5),
                                        {KvType::kFloat16, 2e-3},
                                        {KvType::kBfloat16, 2e-2},
                                        {KvType::kQ8_0, 3e-2}}) {
    if (type == KvType::kQ8_0 && problem.shape.head_dim % 32 != 0) continue;
    KvRows keys(type, rows + 5, columns), values(type, rows + 5, columns);
    const std::size_t half = rows / 2;
    keys.put(0, problem.keys.view().rows_at(0, half));
    keys.put(half, problem.keys.view().rows_at(half, rows - half));
    values.put(0, problem.values.view());
    EXPECT_LT(distance(problem.run(keys.view(rows), values.view(rows)), expected), tolerance)
        << name_of(type);
  }
}

TEST_P(Attention, IsTheSameForAnyNumberOfThreads) {
  const Problem problem(GetParam());
  const KvView keys(problem.keys.view()), values(problem.values.view());
  set_threads(1);
  const Tensor one = problem.run(keys, values);
  set_threads(3);
  const Tensor three = problem.run(keys, values);
  set_threads(0);
  EXPECT_EQ(distance(one, three), 0);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Attention,
                         testing::Values(Case{1, 1, 8, 0, 1, 0}, Case{4, 2, 64, 0, 1, 0},
                                         Case{4, 4, 64, 9, 1, 0}, Case{8, 1, 64, 1400, 1, 0},
                                         Case{6, 2, 80, 700, 1, 0}, Case{8, 2, 128, 1300, 1, 600},
                                         Case{4, 1, 256, 40, 1, 16}, Case{4, 2, 64, 0, 70, 0},
                                         Case{4, 2, 64, 33, 2, 0}, Case{3, 1, 40, 100, 65, 0},
                                         Case{4, 2, 64, 300, 130, 48}),
                         [](const auto& test) {
                           const Case& c = test.param;
                           return fmt::format("Heads{}Over{}Of{}Past{}Tokens{}Window{}", c.heads,
                                              c.kv_heads, c.head_dim, c.past, c.length, c.window);
                         });

TEST(Attention, TakesSequencesOfDifferentLengthsTogether) {
  const Problem first(Case{4, 2, 64, 600, 1, 0}), second(Case{4, 2, 64, 5, 20, 0}),
      third(Case{4, 2, 64, 0, 1, 0});
  std::vector<Tensor> outs;
  std::vector<AttentionInput> inputs;
  for (const Problem* problem : {&first, &second, &third}) {
    outs.emplace_back(problem->query.rows(), problem->query.columns());
    inputs.push_back({problem->query.view(), KvView(problem->keys.view()),
                      KvView(problem->values.view()), outs.back().view()});
  }
  attention(inputs, first.attention_shape());
  EXPECT_LT(distance(outs[0], first.expected()), 2e-5);
  EXPECT_LT(distance(outs[1], second.expected()), 2e-5);
  EXPECT_LT(distance(outs[2], third.expected()), 2e-5);
}

TEST(Attention, SurvivesScoresThatOverflowExp) {
  Problem problem(Case{2, 1, 32, 1100, 1, 0});
  for (std::size_t i = 0; i < problem.query.size(); ++i) problem.query.data()[i] *= 500;
  const Tensor out = problem.run(KvView(problem.keys.view()), KvView(problem.values.view()));
  for (std::size_t i = 0; i < out.size(); ++i) EXPECT_TRUE(std::isfinite(out.data()[i]));
}

}  // namespace
}  // namespace nibble
