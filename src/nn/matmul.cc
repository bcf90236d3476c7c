#include "nn/matmul.h"

#include <omp.h>

#include <algorithm>
#include <dnnl.hpp>
#include <unordered_map>
#include <vector>

#include "base/no_signals.h"
#include "base/parallel.h"
#include "kernels/kernels.h"
#include "nibble/error.h"

namespace nibble {
namespace {

using Type = dnnl::memory::data_type;
constexpr std::size_t kGramTile = 256;

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

// y [m, n] = x [m, k] · w, where w's element (k, n) lies at k·w_k + n·w_n.
struct Shape {
  std::int64_t m = 0, n = 0, k = 0, x_stride = 0, w_k = 0, w_n = 0, y_stride = 0;
  Type type = Type::f32;
  bool accumulate = false;
  bool operator==(const Shape&) const = default;
};

struct ShapeHash {
  std::size_t operator()(const Shape& s) const {
    std::size_t hash = static_cast<std::size_t>(s.type) * 2 + (s.accumulate ? 1 : 0);
    for (const std::int64_t part : {s.m, s.n, s.k, s.x_stride, s.w_k, s.w_n, s.y_stride})
      hash = hash * 0x9E3779B97F4A7C15ull + static_cast<std::size_t>(part);
    return hash;
  }
};

struct Product {
  dnnl::memory::desc x, w, y;
  dnnl::matmul matmul;
};

Product make_product(const Shape& s) {
  Product p;
  p.x = {{s.m, s.k}, s.type, dnnl::memory::dims{s.x_stride, 1}};
  p.w = {{s.k, s.n}, s.type, dnnl::memory::dims{s.w_k, s.w_n}};
  p.y = {{s.m, s.n}, Type::f32, dnnl::memory::dims{s.y_stride, 1}};
  dnnl::primitive_attr attributes;
  if (s.accumulate) {
    dnnl::post_ops sum;
    sum.append_sum(1.0f);
    attributes.set_post_ops(sum);
  }
  p.matmul = dnnl::matmul({{p.x, p.w, p.y}, attributes, cpu()});
  return p;
}

// A team of one thread is no parallel region to OpenMP, so the library would start its own team
// and cut the work, and with it the rounding, by the number of threads.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

// Each thread keeps its own products; a model has few shapes, and a cap bounds the rest.
void run(const Shape& shape, const void* x, const void* w, float* y) {
  constexpr std::size_t kMaxCached = 512;
  thread_local std::unordered_map<Shape, Product, ShapeHash> cache;
  thread_local dnnl::stream stream(cpu());
  if (shape.m == 0 || shape.n == 0) return;
  const OneThread one_thread;
  auto found = cache.find(shape);
  if (found == cache.end()) {
    if (cache.size() >= kMaxCached) cache.clear();
    found = cache.emplace(shape, make_product(shape)).first;
  }
  const Product& product = found->second;
  const NoSignals no_signals;  // compiled code of oneDNN 2.6 keeps values below the stack pointer
  product.matmul.execute(stream, {{DNNL_ARG_SRC, {product.x, cpu(), const_cast<void*>(x)}},
                                  {DNNL_ARG_WEIGHTS, {product.w, cpu(), const_cast<void*>(w)}},
                                  {DNNL_ARG_DST, {product.y, cpu(), y}}});
  stream.wait();
}

template <typename T>
Shape shape_of(MatrixView<const T> x, Matrix y, Type type) {
  Shape shape;
  shape.m = static_cast<std::int64_t>(x.rows);
  shape.k = static_cast<std::int64_t>(x.columns);
  shape.n = static_cast<std::int64_t>(y.columns);
  shape.x_stride = static_cast<std::int64_t>(x.stride);
  shape.y_stride = static_cast<std::int64_t>(y.stride);
  shape.type = type;
  return shape;
}

// One tile of out += xᵀ·z, from (r0, c0) on.
template <typename T>
void add_transposed_tile(MatrixView<const T> x, MatrixView<const T> z, Matrix out, std::size_t r0,
                         std::size_t c0, std::size_t width, Type type) {
  const std::size_t height = std::min(kGramTile, x.columns - r0);
  width = std::min(width, z.columns - c0);
  std::vector<T> left(height * x.rows);  // rows of xᵀ
  constexpr std::size_t kSquare = 32;    // both sides of the copy stay in the first cache
  for (std::size_t t0 = 0; t0 < x.rows; t0 += kSquare)
    for (std::size_t i0 = 0; i0 < height; i0 += kSquare)
      for (std::size_t i = i0; i < std::min(i0 + kSquare, height); ++i)
        for (std::size_t t = t0; t < std::min(t0 + kSquare, x.rows); ++t)
          left[i * x.rows + t] = x(t, r0 + i);
  const Matrix tile = out.rows_at(r0, height).columns_at(c0, width);
  Shape shape = shape_of(MatrixView<const T>(left.data(), height, x.rows), tile, type);
  shape.w_k = static_cast<std::int64_t>(z.stride);
  shape.w_n = 1;
  shape.accumulate = true;
  run(shape, left.data(), z.values + c0, tile.values);
}

// xᵀ·x by tiles of its lower triangle.
template <typename T>
void gram(MatrixView<const T> x, Matrix out, Type type) {
  const std::size_t tiles = (x.columns + kGramTile - 1) / kGramTile;
  parallel_for(tiles * (tiles + 1) / 2, [&](std::size_t index) {
    std::size_t row = 0;
    while ((row + 1) * (row + 2) / 2 <= index) ++row;
    const std::size_t column = index - row * (row + 1) / 2;
    add_transposed_tile(x, x, out, row * kGramTile, column * kGramTile, kGramTile, type);
  });
}

template <typename T>
void cross(MatrixView<const T> x, MatrixView<const T> z, Matrix out, Type type) {
  const std::size_t down = (x.columns + kGramTile - 1) / kGramTile;
  constexpr std::size_t kWidth =
      4 * kGramTile;  // a transposed tile is used for as long as possible
  const std::size_t along = (z.columns + kWidth - 1) / kWidth;
  parallel_for(down * along, [&](std::size_t index) {
    add_transposed_tile(x, z, out, index / along * kGramTile, index % along * kWidth, kWidth, type);
  });
}

std::vector<float> widened(MatrixView<const std::uint16_t> x) {
  std::vector<float> values(x.rows * x.columns);
  for (std::size_t r = 0; r < x.rows; ++r)
    kernels().bfloat16_to_float(x.row(r), values.data() + r * x.columns, x.columns);
  return values;
}

}  // namespace

void matmul(ConstMatrix x, ConstMatrix w, Matrix y) {
  Shape shape = shape_of(x, y, Type::f32);
  shape.w_k = 1;
  shape.w_n = static_cast<std::int64_t>(w.stride);
  run(shape, x.values, w.values, y.values);
}

void matmul(MatrixView<const std::uint16_t> x, MatrixView<const std::uint16_t> w, Matrix y) {
  if (!cpu_has_bfloat16()) {  // oneDNN would refuse: the same product in float32
    const auto x_values = widened(x), w_values = widened(w);
    matmul(ConstMatrix(x_values.data(), x.rows, x.columns),
           ConstMatrix(w_values.data(), w.rows, w.columns), y);
    return;
  }
  Shape shape = shape_of(x, y, Type::bf16);
  shape.w_k = 1;
  shape.w_n = static_cast<std::int64_t>(w.stride);
  run(shape, x.values, w.values, y.values);
}

void matmul_plain(ConstMatrix x, ConstMatrix w, Matrix y) {
  Shape shape = shape_of(x, y, Type::f32);
  shape.w_k = static_cast<std::int64_t>(w.stride);
  shape.w_n = 1;
  run(shape, x.values, w.values, y.values);
}

void matmul_plain(MatrixView<const std::uint16_t> x, MatrixView<const std::uint16_t> w, Matrix y) {
  Shape shape = shape_of(x, y, Type::bf16);
  shape.w_k = static_cast<std::int64_t>(w.stride);
  shape.w_n = 1;
  run(shape, x.values, w.values, y.values);
}

void add_matmul_plain(ConstMatrix x, ConstMatrix w, Matrix y) {
  Shape shape = shape_of(x, y, Type::f32);
  shape.w_k = static_cast<std::int64_t>(w.stride);
  shape.w_n = 1;
  shape.accumulate = true;
  run(shape, x.values, w.values, y.values);
}

void add_matmul_plain(MatrixView<const std::uint16_t> x, MatrixView<const std::uint16_t> w,
                      Matrix y) {
  if (!cpu_has_bfloat16()) {
    const auto x_values = widened(x), w_values = widened(w);
    return add_matmul_plain(ConstMatrix(x_values.data(), x.rows, x.columns),
                            ConstMatrix(w_values.data(), w.rows, w.columns), y);
  }
  Shape shape = shape_of(x, y, Type::bf16);
  shape.w_k = static_cast<std::int64_t>(w.stride);
  shape.w_n = 1;
  shape.accumulate = true;
  run(shape, x.values, w.values, y.values);
}

void add_gram(ConstMatrix x, Matrix y) { gram(x, y, Type::f32); }

void add_gram(MatrixView<const std::uint16_t> x, Matrix y) {
  if (cpu_has_bfloat16()) return gram(x, y, Type::bf16);
  const auto values = widened(x);
  gram(ConstMatrix(values.data(), x.rows, x.columns), y, Type::f32);
}

void add_cross(ConstMatrix x, ConstMatrix z, Matrix y) { cross(x, z, y, Type::f32); }

void add_cross(MatrixView<const std::uint16_t> x, MatrixView<const std::uint16_t> z, Matrix y) {
  if (cpu_has_bfloat16()) return cross(x, z, y, Type::bf16);
  const auto left = widened(x), right = widened(z);
  cross(ConstMatrix(left.data(), x.rows, x.columns), ConstMatrix(right.data(), z.rows, z.columns),
        y, Type::f32);
}

}  // namespace nibble
