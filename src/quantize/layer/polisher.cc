#include "quantize/layer/polisher.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "nn/matmul.h"

namespace nibble {
namespace {

constexpr std::size_t kChunk = 128;
constexpr int kSweeps = 4;
constexpr std::size_t kFewMoves = 100;  // one move for so many weights: a sweep is the last

}  // namespace

// One row on its way through one chunk.
struct Polisher::Row {
  std::size_t index;
  float* gradient;               // of the chunk's columns
  float* moves;                  // what has been added to their weights
  std::vector<float> direction;  // of the group that is moved
};

Polisher::Polisher(const Task& task, const Rounder& rounder, Codes& codes)
    : task_(task),
      rounder_(rounder),
      grid_(rounder.grid()),
      codes_(codes),
      groups_(codes.groups()),
      order_(codes.columns),
      hessian_(task.hessian) {
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  std::stable_sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
    return codes.group_of(a) < codes.group_of(b);
  });
  if (!std::is_sorted(order_.begin(), order_.end())) {
    ordered_ = Tensor(order_.size(), order_.size());
    parallel_ranges(order_.size(), 16, [&](std::size_t begin, std::size_t end) {
      for (std::size_t r = begin; r < end; ++r)
        for (std::size_t c = 0; c < order_.size(); ++c)
          ordered_.view()(r, c) = task.hessian(order_[r], order_[c]);
    });
    hessian_ = ordered_.view();
  }
  for (std::size_t first = 0; first < order_.size();) {
    const std::size_t index = codes.group_of(order_[first]);
    std::size_t end = first;
    while (end < order_.size() && codes.group_of(order_[end]) == index) ++end;
    if (end - first > kChunk) {  // its scale stays; its codes go piece by piece
      for (; first < end; first += kChunk)
        chunks_.push_back({first, std::min(kChunk, end - first), {}});
      first = end;
      continue;
    }
    if (chunks_.empty() || chunks_.back().groups.empty() ||
        chunks_.back().count + (end - first) > kChunk)
      chunks_.push_back({first, 0, {}});
    chunks_.back().groups.push_back({index, first - chunks_.back().first, end - first});
    chunks_.back().count += end - first;
    first = end;
  }
}

void Polisher::run(std::size_t begin, std::size_t end) const {
  const std::size_t rows = end - begin, columns = order_.size();
  Tensor decoded(rows, columns), difference(rows, columns), gradient(rows, columns);
  decode_rows(codes_, begin, decoded.view());
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t i = 0; i < columns; ++i)
      difference.view()(r, i) = task_.weight(begin + r, order_[i]) - decoded.view()(r, order_[i]);
  matmul(difference.view(), hessian_, gradient.view());
  Tensor moves(rows, kChunk), update(rows, columns);
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    std::size_t moved = 0;
    for (const Chunk& chunk : chunks_) {
      const Matrix part = moves.view().columns_at(0, chunk.count);
      const std::size_t count = polish_chunk(chunk, begin, gradient.view(), part);
      if (count == 0) continue;
      moved += count;
      matmul_plain(part, hessian_.rows_at(chunk.first, chunk.count), update.view());
      for (std::size_t r = 0; r < rows; ++r)
        kernels().add_scaled(-1, update.view().row(r), gradient.view().row(r), columns);
    }
    if (moved * kFewMoves < rows * columns) break;
  }
}

std::size_t Polisher::polish_chunk(const Chunk& chunk, std::size_t begin, Matrix gradient,
                                   Matrix moves) const {
  std::size_t moved = 0;
  std::vector<float> local(chunk.count);
  Row row{0, local.data(), nullptr, std::vector<float>(chunk.count)};
  for (std::size_t r = 0; r < moves.rows; ++r) {
    std::copy_n(gradient.row(r) + chunk.first, chunk.count, local.begin());
    std::fill_n(moves.row(r), chunk.count, 0.0f);
    row.index = begin + r;
    row.moves = moves.row(r);
    moved += move_codes(chunk, row);
    if (!rounder_.storable().joint())
      for (const Group& group : chunk.groups) moved += move_group(chunk, group, row) ? 1 : 0;
  }
  return moved;
}

std::size_t Polisher::move_codes(const Chunk& chunk, Row& row) const {
  std::size_t moved = 0;
  for (std::size_t place = 0; place < chunk.count; place += grid_.dimension)
    moved += (grid_.dimension == 1 ? move_code(chunk, place, row) : move_vector(chunk, place, row))
                 ? 1
                 : 0;
  return moved;
}

bool Polisher::move_code(const Chunk& chunk, std::size_t place, Row& row) const {
  const std::size_t column = order_[chunk.first + place];
  const float h = hessian_(chunk.first + place, chunk.first + place);
  if (h <= 0) return false;
  const GroupParams params = codes_.params_at(row.index * groups_ + codes_.group_of(column));
  const Code old = codes_.code(row.index, column);
  const float now = grid_.value(old, params), wanted = now + row.gradient[place] / h;
  const Code code = rounder_.nearest(&wanted, params);
  if (code == old) return false;
  const float step = grid_.value(code, params) - now;
  if (step * (step * h - 2 * row.gradient[place]) >= 0) return false;
  codes_.set_code(row.index, column, code);
  row.moves[place] += step;
  kernels().add_scaled(-step, hessian_.row(chunk.first + place) + chunk.first, row.gradient,
                       chunk.count);
  return true;
}

// All weights of a code at once, towards where each alone would go.
bool Polisher::move_vector(const Chunk& chunk, std::size_t place, Row& row) const {
  const std::size_t column = order_[chunk.first + place], n = grid_.dimension;
  const std::size_t index = codes_.index_of(column);
  const GroupParams params = codes_.params_at(row.index * groups_ + codes_.group_of(column));
  const Code old = codes_.code(row.index, index);
  std::array<float, kMaxDimension> now, wanted, then;
  grid_.values(old, params, now.data());
  for (std::size_t k = 0; k < n; ++k) {
    const float h = hessian_(chunk.first + place + k, chunk.first + place + k);
    wanted[k] = h > 0 ? now[k] + row.gradient[place + k] / h : now[k];
  }
  const Code code = rounder_.nearest(wanted.data(), params);
  if (code == old) return false;
  grid_.values(code, params, then.data());
  double change = 0;  // v·H·vᵀ − 2·v·g
  for (std::size_t k = 0; k < n; ++k) {
    const double v = then[k] - now[k];
    for (std::size_t l = 0; l < n; ++l)
      change += v * hessian_(chunk.first + place + k, chunk.first + place + l) * (then[l] - now[l]);
    change -= 2 * v * row.gradient[place + k];
  }
  if (change >= 0) return false;
  codes_.set_code(row.index, index, code);
  for (std::size_t k = 0; k < n; ++k) {
    const float step = then[k] - now[k];
    row.moves[place + k] += step;
    kernels().add_scaled(-step, hessian_.row(chunk.first + place + k) + chunk.first, row.gradient,
                         chunk.count);
  }
  return true;
}

// Scale by least squares; then, where zeros are free, the zero one step down or up.
bool Polisher::move_group(const Chunk& chunk, const Group& group, Row& row) const {
  GroupParams params = codes_.params(row.index, group.index);
  double slope = 0;
  for (std::size_t i = 0; i < group.count; i += grid_.dimension) {
    const std::size_t index = codes_.index_of(order_[chunk.first + group.first + i]);
    grid_.values(codes_.code(row.index, index), {1, params.zero}, row.direction.data() + i);
  }
  for (std::size_t i = 0; i < group.count; ++i)
    slope += static_cast<double>(row.direction[i]) * row.gradient[group.first + i];
  bool moved = false;
  const double bend = curve(chunk, group, row);
  const float scale = bend > 0
                          ? rounder_.stored_scale(params.scale + static_cast<float>(slope / bend))
                          : params.scale;
  const double step = static_cast<double>(scale) - params.scale;
  if (scale * params.scale > 0 && step * (step * bend - 2 * slope) < 0) {
    params.scale = scale;
    codes_.set_params(row.index, group.index, params);
    moved = move(chunk, group, step, row);
  }
  return rounder_.free_zero() ? move_zero(chunk, group, row) || moved : moved;
}

bool Polisher::move_zero(const Chunk& chunk, const Group& group, Row& row) const {
  GroupParams params = codes_.params(row.index, group.index);
  double slope = 0;
  for (std::size_t i = 0; i < group.count; ++i) {
    row.direction[i] = 1;
    slope += row.gradient[group.first + i];
  }
  // A higher zero lowers every weight of the group by the scale.
  const bool higher = slope * params.scale < 0;
  const float zero = rounder_.stored_zero(params.zero + (higher ? 1.0f : -1.0f));
  const double shift = -static_cast<double>(params.scale) * (zero - params.zero);
  if (shift * (shift * curve(chunk, group, row) - 2 * slope) >= 0) return false;
  params.zero = zero;
  codes_.set_params(row.index, group.index, params);
  return move(chunk, group, shift, row);
}

// direction · H · directionᵀ
double Polisher::curve(const Chunk& chunk, const Group& group, const Row& row) const {
  const std::size_t first = chunk.first + group.first;
  double sum = 0;
  for (std::size_t i = 0; i < group.count; ++i)
    sum += static_cast<double>(row.direction[i]) *
           kernels().dot(hessian_.row(first + i) + first, row.direction.data(), group.count);
  return sum;
}

// Adds step · direction to the group's weights.
bool Polisher::move(const Chunk& chunk, const Group& group, double step, Row& row) const {
  for (std::size_t i = 0; i < group.count; ++i) {
    const float change = static_cast<float>(step) * row.direction[i];
    if (change == 0) continue;
    row.moves[group.first + i] += change;
    kernels().add_scaled(-change, hessian_.row(chunk.first + group.first + i) + chunk.first,
                         row.gradient, chunk.count);
  }
  return true;
}

}  // namespace nibble
