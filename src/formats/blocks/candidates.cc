#include "formats/blocks/candidates.h"

#include <cstring>

namespace nibble::block_formats {
namespace {

constexpr int kLanes = 8;  // sums of one candidate

// What is marked so is compiled several times, plainly, for AVX2 and for AVX-512, without fused
// products: all give the same bits.
#define NIBBLE_INLINE inline __attribute__((always_inline))

template <std::size_t Width>
struct VectorOf;
template <>
struct VectorOf<4> {
  using Floats = float __attribute__((vector_size(16)));
  using Ints = int __attribute__((vector_size(16)));
};
template <>
struct VectorOf<8> {
  using Floats = float __attribute__((vector_size(32)));
  using Ints = int __attribute__((vector_size(32)));
};
template <>
struct VectorOf<16> {
  using Floats = float __attribute__((vector_size(64)));
  using Ints = int __attribute__((vector_size(64)));
};

struct LineRoom {
  std::array<float, kMostCandidates> first, second, product;
};

template <std::size_t Width>  // candidates together
struct Wide {
  using Floats = typename VectorOf<Width>::Floats;
  using Ints = typename VectorOf<Width>::Ints;

  static NIBBLE_INLINE Floats load(const float* from) {
    Floats values;
    std::memcpy(&values, from, sizeof(values));
    return values;
  }

  static NIBBLE_INLINE Floats inverse_of(Floats scales) {
    const Floats size = scales < 0 ? -scales : scales;
    return size > 1e-30f ? 1 / scales : Floats{};
  }

  static NIBBLE_INLINE Floats nearest(const EvenLevels& levels, Floats steps) {
    const Floats low = static_cast<float>(levels.lowest) - Floats{};
    const Floats high = static_cast<float>(levels.highest) - Floats{};
    const Floats above = steps < low ? low : steps;
    const Floats inside = high < above ? high : above;
    return (inside + 0x1.8p23f) - 0x1.8p23f;
  }

  static NIBBLE_INLINE Floats nearest(const UnevenLevels&, Floats steps) {
    const Floats low = UnevenLevels::kLowest - Floats{}, high = UnevenLevels::kHighest - Floats{};
    const Floats above = steps < low ? low : steps;
    const Floats inside = high < above ? high : above;
    const auto cells = __builtin_convertvector((inside - low) * 2, Ints);
    Floats result;
    for (std::size_t k = 0; k < Width; ++k) result[k] = kUnevenNearest[cells[k]];
    return result;
  }

  template <typename Levels>
  static NIBBLE_INLINE void errors(Group group, const Levels& levels, const float* scales,
                                   std::size_t count, float* lost) {
    for (std::size_t c = 0; c < count; c += Width) {
      const Floats scale = load(scales + c), steps = inverse_of(scale);
      Floats lanes[kLanes] = {};
      for (int i = 0; i < group.size; i += kLanes)
        for (int lane = 0; lane < kLanes; ++lane) {
          const float weight = group.weights[i + lane];
          const Floats rest = weight - scale * nearest(levels, weight * steps);
          lanes[lane] += group.importance[i + lane] * rest * rest;
        }
      store_sum(lanes, lost + c);
    }
  }

  // sums: Σ importance · level · weight of each candidate, then Σ importance · level².
  template <typename Levels>
  static NIBBLE_INLINE void fits(Group group, const Levels& levels, const float* scales,
                                 std::size_t count, float* product, float* square) {
    for (std::size_t c = 0; c < count; c += Width) {
      const Floats steps = inverse_of(load(scales + c));
      Floats products[2] = {}, squares[2] = {};
      for (int i = 0; i < group.size; i += 2)
        for (int lane = 0; lane < 2; ++lane) {
          const float weight = group.weights[i + lane];
          const Floats level = nearest(levels, weight * steps);
          const Floats share = group.importance[i + lane] * level;
          products[lane] += share * weight;
          squares[lane] += share * level;
        }
      store(products[0] + products[1], product + c);
      store(squares[0] + squares[1], square + c);
    }
  }

  // Σ importance · code, · code² and · code · weight.
  static NIBBLE_INLINE void fits(Group group, int highest, const float* scales,
                                 const float* minimums, std::size_t count, LineRoom& room) {
    const EvenLevels levels{0, highest};
    for (std::size_t c = 0; c < count; c += Width) {
      const Floats minimum = load(minimums + c), steps = inverse_of(load(scales + c));
      Floats first{}, second{}, product{};
      for (int i = 0; i < group.size; ++i) {
        const float weight = group.weights[i];
        const Floats code = nearest(levels, (weight - minimum) * steps);
        const Floats share = group.importance[i] * code;
        first += share;
        second += share * code;
        product += share * weight;
      }
      store(first, room.first.data() + c);
      store(second, room.second.data() + c);
      store(product, room.product.data() + c);
    }
  }

  static NIBBLE_INLINE void errors(Group group, int highest, const float* scales,
                                   const float* minimums, std::size_t count, float* lost) {
    const EvenLevels levels{0, highest};
    for (std::size_t c = 0; c < count; c += Width) {
      const Floats scale = load(scales + c), minimum = load(minimums + c);
      const Floats steps = inverse_of(scale);
      Floats lanes[kLanes] = {};
      for (int i = 0; i < group.size; i += kLanes)
        for (int lane = 0; lane < kLanes; ++lane) {
          const Floats above = group.weights[i + lane] - minimum;
          const Floats rest = above - scale * nearest(levels, above * steps);
          lanes[lane] += group.importance[i + lane] * rest * rest;
        }
      store_sum(lanes, lost + c);
    }
  }

 private:
  static NIBBLE_INLINE void store(Floats values, float* to) {
    std::memcpy(to, &values, sizeof(values));
  }
  static NIBBLE_INLINE void store_sum(const Floats (&lanes)[kLanes], float* lost) {
    Floats total{};
    for (const Floats& lane : lanes) total += lane;
    store(total, lost);
  }
};

using Four = Wide<kStarts>;
using Starts = Four::Floats;

OfStarts list_of(Starts values) {
  OfStarts list;
  std::memcpy(list.data(), &values, sizeof(values));
  return list;
}

// Defines NAME, a template of PREFIX where that is not empty, with PARAMETERS as CALL of Wide<…>,
// the widest that the CPU has.
#if defined(__x86_64__)
#define NIBBLE_WIDEST(PREFIX, NAME, PARAMETERS, CALL)                                         \
  PREFIX __attribute__((target("avx512f"))) void NAME##_avx512 PARAMETERS { Wide<16>::CALL; } \
  PREFIX __attribute__((target("avx2"))) void NAME##_avx2 PARAMETERS { Wide<8>::CALL; }       \
  PREFIX void NAME##_plain PARAMETERS { Wide<4>::CALL; }
#define NIBBLE_CHOOSE(NAME, ...)                                 \
  (__builtin_cpu_supports("avx512f") ? NAME##_avx512 __VA_ARGS__ \
   : __builtin_cpu_supports("avx2")  ? NAME##_avx2 __VA_ARGS__   \
                                     : NAME##_plain __VA_ARGS__)
#else
#define NIBBLE_WIDEST(PREFIX, NAME, PARAMETERS, CALL) \
  PREFIX void NAME##_plain PARAMETERS { Wide<4>::CALL; }
#define NIBBLE_CHOOSE(NAME, ...) (NAME##_plain __VA_ARGS__)
#endif

NIBBLE_WIDEST(template <typename Levels>, level_errors,
              (Group group, const Levels& levels, const float* scales, std::size_t count,
               float* lost),
              errors(group, levels, scales, count, lost))
NIBBLE_WIDEST(template <typename Levels>, level_fits,
              (Group group, const Levels& levels, const float* scales, std::size_t count,
               float* product, float* square),
              fits(group, levels, scales, count, product, square))
NIBBLE_WIDEST(, line_errors,
              (Group group, int highest, const float* scales, const float* minimums,
               std::size_t count, float* lost),
              errors(group, highest, scales, minimums, count, lost))
NIBBLE_WIDEST(, line_fits,
              (Group group, int highest, const float* scales, const float* minimums,
               std::size_t count, LineRoom& room),
              fits(group, highest, scales, minimums, count, room))

void split(Candidates<Line>& lines, float* scales, float* minimums) {
  const Line* list = lines.padded();
  for (std::size_t i = 0; i < lines.size() + kMostTogether - 1; ++i) {
    scales[i] = list[i].scale;
    minimums[i] = list[i].minimum;
  }
}

}  // namespace

template <typename Levels>
ScaleFit best_fit(Group group, const Levels& levels, Candidates<float>& scales) {
  static const auto fits = NIBBLE_CHOOSE(level_fits, <Levels>);
  std::array<float, kMostCandidates> product, square;
  fits(group, levels, scales.padded(), scales.size(), product.data(), square.data());
  ScaleFit best;
  float best_gain = 0;
  for (std::size_t i = 0; i < scales.size(); ++i) {
    const float scale = product[i] / square[i], gain = scale * product[i];
    if (!(gain > best_gain)) continue;
    best = {scale, square[i]};
    best_gain = gain;
  }
  return best;
}

Line best_fit(Group group, int highest, bool free, Candidates<Line>& lines) {
  static const auto fits = NIBBLE_CHOOSE(line_fits);
  std::array<float, kMostCandidates> scales, minimums;
  split(lines, scales.data(), minimums.data());
  LineRoom room;
  fits(group, highest, scales.data(), minimums.data(), lines.size(), room);
  float all = 0, value = 0;
  for (int i = 0; i < group.size; ++i) {
    all += group.importance[i];
    value += group.importance[i] * group.weights[i];
  }
  Line best{};
  float best_gain = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const float first = room.first[i], second = room.second[i], product = room.product[i];
    const float determinant = all * second - first * first;
    Line line{(all * product - first * value) / determinant,
              (second * value - first * product) / determinant};
    if (!free && !(line.minimum <= 0)) line = {product / second, 0};
    const float gain = line.scale * product + line.minimum * value;
    if (!(gain > best_gain)) continue;
    best = line;
    best_gain = gain;
  }
  return best;
}

template <typename Levels>
void measure(Group group, const Levels& levels, Candidates<float>& scales) {
  static const auto errors = NIBBLE_CHOOSE(level_errors, <Levels>);
  errors(group, levels, scales.padded(), scales.size(), scales.room());
}

void measure(Group group, int highest, Candidates<Line>& lines) {
  static const auto errors = NIBBLE_CHOOSE(line_errors);
  std::array<float, kMostCandidates> scales, minimums;
  split(lines, scales.data(), minimums.data());
  errors(group, highest, scales.data(), minimums.data(), lines.size(), lines.room());
}

template <typename Levels>
ScaleSums scale_sums(Group block, int group_size, const Levels& levels, const OfStarts* steps,
                     const OfStarts* inverses) {
  Starts product{}, square{};
  for (int i = 0, g = 0; i < block.size; ++g) {
    const Starts step = Four::load(steps[g].data()), by = Four::load(inverses[g].data());
    for (const int end = i + group_size; i < end; ++i) {
      const Starts level = step * Four::nearest(levels, block.weights[i] * by);
      product += block.importance[i] * level * block.weights[i];
      square += block.importance[i] * level * level;
    }
  }
  return {list_of(product), list_of(square)};
}

LineSums line_sums(Group block, int group_size, int highest, const OfStarts* steps,
                   const OfStarts* inverses, const OfStarts* shifts, const OfStarts* minimums) {
  const EvenLevels levels{0, highest};
  Starts aa{}, ab{}, bb{}, aw{}, bw{};
  for (int i = 0, g = 0; i < block.size; ++g) {
    const Starts step = Four::load(steps[g].data()), by = Four::load(inverses[g].data());
    const Starts b = -Four::load(shifts[g].data()), minimum = Four::load(minimums[g].data());
    for (const int end = i + group_size; i < end; ++i) {
      const float weight = block.weights[i], share = block.importance[i];
      const Starts a = step * Four::nearest(levels, (weight - minimum) * by);
      aa += share * a * a;
      ab += share * a * b;
      bb += share * b * b;
      aw += share * a * weight;
      bw += share * b * weight;
    }
  }
  return {list_of(aa), list_of(ab), list_of(bb), list_of(aw), list_of(bw)};
}

template ScaleFit best_fit(Group, const EvenLevels&, Candidates<float>&);
template ScaleFit best_fit(Group, const UnevenLevels&, Candidates<float>&);
template void measure(Group, const EvenLevels&, Candidates<float>&);
template void measure(Group, const UnevenLevels&, Candidates<float>&);
template ScaleSums scale_sums(Group, int, const EvenLevels&, const OfStarts*, const OfStarts*);
template ScaleSums scale_sums(Group, int, const UnevenLevels&, const OfStarts*, const OfStarts*);

}  // namespace nibble::block_formats
